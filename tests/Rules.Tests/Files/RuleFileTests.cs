using FsCheck;
using FsCheck.Fluent;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;
using Metrics.Rules.Tests.Fakes;
using Xunit;

namespace Metrics.Rules.Tests.Files;

public sealed class RuleFileTests
{
    private const string Full = """
        groups:
        - name: full
          interval: 30s
          query_offset: 1m
          limit: 10
          labels: {team: db}
          partial_response_strategy: abort
          source_tenants: [a, b]
          rules:
          - record: job:up:sum
            expr: sum by (job) (up)
            labels: {x: 1, y: "on", z: }
          - alert: Down
            expr: |
              up == 0
                and on (job) job:up:sum < 2
            for: 1h30m
            keep_firing_for: 5m
            labels: {severity: page}
            annotations:
              summary: '{{ $labels.instance }} is down: {{ $value }}'
        - name: empty
        """;

    [Fact]
    public void EveryFieldIsRead()
    {
        var file = RuleLab.File(Full);
        var group = file.Groups[0];
        Assert.Equal(
            ("full", 30_000, (long?)60_000, 10, "db", "abort", "a,b"),
            (group.Name, group.IntervalMs, group.QueryOffsetMs, group.Limit, group.Labels["team"], group.PartialResponseStrategy, string.Join(',', group.SourceTenants)));
        var record = group.Rules[0];
        Assert.Equal(("job:up:sum", "sum by (job) (up)", false), (record.Record, record.Expr, record.IsAlert));
        Assert.Equal([new("x", "1"), new("y", "on"), new("z", "")], record.Labels);
        var alert = group.Rules[1];
        Assert.Equal(("Down", 5_400_000, 300_000, "page"), (alert.Alert, alert.ForMs, alert.KeepFiringForMs, alert.Labels["severity"]));
        Assert.Equal("up == 0\n  and on (job) job:up:sum < 2\n", alert.Expr);
        Assert.Empty(file.Groups[1].Rules);
    }

    [Theory]
    [InlineData("group: []", "yaml: unmarshal errors:\n  line 1: field group not found in type rulefmt.RuleGroups")]
    [InlineData("groups:\n- name: a\n  intervall: 5m", "yaml: unmarshal errors:\n  line 3: field intervall not found in type rulefmt.RuleGroup")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {record: a, expr: b, fore: 5m}", "yaml: unmarshal errors:\n  line 4: field fore not found in type rulefmt.Rule")]
    [InlineData("groups:\n- name: a\n  interval: 5x", "yaml: unmarshal errors:\n  line 3: not a valid duration string: \"5x\"")]
    [InlineData("groups:\n- name: a\n  limit: x", "yaml: unmarshal errors:\n  line 3: cannot unmarshal !!str `x` into int")]
    [InlineData("groups: {a: b}", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!map into []rulefmt.RuleGroup")]
    [InlineData("groups:\n- name: a\n  rules: []\n- name: a", "4:3: groupname: \"a\" is repeated in the same file")]
    [InlineData("groups:\n- rules: []", "2:3: Groupname must not be empty")]
    [InlineData("groups:\n- name: a\n  rules:\n  - record: x\n    alert: y\n    expr: up", "4:13: group \"a\", rule 1, \"y\": only one of 'record' and 'alert' must be set")]
    [InlineData("groups:\n- name: a\n  rules:\n  - expr: up", "4:5: group \"a\", rule 1, \"\": one of 'record' or 'alert' must be set")]
    [InlineData("groups:\n- name: a\n  rules:\n  - record: x", "4:5: group \"a\", rule 1, \"x\": field 'expr' must be set in rule")]
    [InlineData("groups:\n- name: a\n  rules:\n  - record: x\n    expr: sum(up", "5:11: group \"a\", rule 1, \"x\": could not parse expression: 1:7: parse error: unclosed left parenthesis")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {record: x, expr: up, for: 5m}", "4:14: group \"a\", rule 1, \"x\": invalid field 'for' in recording rule")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {record: x, expr: up, keep_firing_for: 5m}", "4:14: group \"a\", rule 1, \"x\": invalid field 'keep_firing_for' in recording rule")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {record: x, expr: up, annotations: {a: b}}", "4:14: group \"a\", rule 1, \"x\": invalid field 'annotations' in recording rule")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {record: 'x{a=\"b\"}', expr: up}", "4:14: group \"a\", rule 1, \"x{a=\"b\"}\": braces present in the recording rule name; should it be in expr?: x{a=\"b\"}")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {record: x, expr: up, labels: {__name__: y}}", "group \"a\", rule 1, \"x\": invalid label name: __name__")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {alert: x, expr: up, annotations: {a: '{{ nosuch }}'}}", "group \"a\", rule 1, \"x\": annotation \"a\": template: __alert_x:1: function \"nosuch\" not defined")]
    [InlineData("groups:\n- name: a\n  rules:\n  - {alert: x, expr: up, labels: {a: '{{ $x }}'}}", "group \"a\", rule 1, \"x\": label \"a\": template: __alert_x:1: undefined variable \"$x\"")]
    [InlineData("groups:\n- name: a\n  partial_response_strategy: maybe", "yaml: unmarshal errors:\n  line 3: invalid partial_response_strategy: \"maybe\"; allowed are abort and warn")]
    public void AMistakeIsReportedAsPromtoolDoes(string yaml, string want)
    {
        var result = RuleFileReader.Read(yaml, new ParseOptions());
        Assert.Null(result.File);
        Assert.Equal(want, Assert.Single(result.Errors).Message);
    }

    /// <summary>promtool accepts what we accept, refuses what we refuse, and finds as many rules.</summary>
    [Theory]
    [Trait("Category", "Peers")]
    [InlineData("")]
    [InlineData("groups:")]
    [InlineData("groups: []")]
    [InlineData("groups: [{name: a}]")]
    [InlineData("groups: [{name: a, interval: 1m, limit: 5, rules: [{record: 'a:b', expr: 'rate(x[5m])', labels: {a: b}}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: 1}, {alert: B, expr: vector(1), for: 0s}, {alert: C, expr: up, for: 1d2h}]}]")]
    [InlineData("groups: [{name: a, rules: [{alert: B, expr: up, annotations: {a: '{{ range query \"up\" }}{{ .Labels.job }}{{ end }}', b: '{{ printf \"%.2f\" $value }}', c: '{{ with $x := $labels.job }}{{ $x | toUpper }}{{ else }}{{ humanizeDuration 5 }}{{ end }}'}}]}]")]
    [InlineData("groups: [{name: a, rules: [{alert: B, expr: up, annotations: {a: '{{ if }}'}}]}]")]
    [InlineData("groups: [{name: a, rules: [{alert: B, expr: up, annotations: {a: '{{ .Labels.job '}}]}]")]
    [InlineData("groups: [{name: a, rules: [{alert: B, expr: up, labels: {a: '{{ define \"x\" }}y{{ end }}{{ template \"x\" . }}'}}]}]")]
    [InlineData("groups: [{name: a, rules: [{alert: B, expr: up, labels: {a: '{{ end }}'}}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: up, for: 5m}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, alert: b, expr: up}]}]")]
    [InlineData("groups: [{name: a, rules: [{expr: up}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: 'sum(('}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: 'rate(up)'}]}]")]
    [InlineData("groups: [{name: a}, {name: a}]")]
    [InlineData("groups: [{name: ''}]")]
    [InlineData("groups: [{name: a, intervall: 5m}]")]
    [InlineData("groups: [{name: a, interval: 5}]")]
    [InlineData("groups: [{name: a, interval: 1h1h}]")]
    [InlineData("groups: [{name: a, limit: x}]")]
    [InlineData("groups: {a: b}")]
    [InlineData("groups: [{name: a, rules: {record: a}}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: up, labels: {'': x}}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: up, labels: {__name__: x}}]}]")]
    [InlineData("groups: [{name: a, rules: [{record: a, expr: up, labels: {a: 1, b: true, c: null}}]}]")]
    [InlineData("groups: [{name: a, rules: [{alert: 'a b/c', expr: up}]}]")]
    [InlineData("a: [")]
    [InlineData("{{{")]
    [InlineData("just text")]
    [InlineData("x: &x {record: a, expr: up}\ngroups: []")]
    [InlineData("groups:\n- name: a\n  rules:\n  - &x {record: a, expr: up}\n  - *x")]
    [InlineData("groups:\n- name: a\n  name: b")]
    public void PromtoolAgreesOnWhatIsInOrder(string yaml)
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("rules.yml", yaml);
        var (exitCode, theirs) = Promtool.Run(directory.Path, "check", "rules", "--lint=none", path);
        var output = new StringWriter();
        var isWell = RuleCheck.Run([path], new ParseOptions(), lintDuplicates: false, output);
        Assert.True(exitCode == 0 == isWell, $"promtool said {theirs}\nwe said {output}");
        if (isWell)
        {
            Assert.Equal(theirs.Trim().ReplaceLineEndings("\n"), output.ToString().Trim().ReplaceLineEndings("\n"));
        }
    }

    [Fact]
    [Trait("Category", "Peers")]
    public void DoubledRulesAreFoundWhenAskedFor()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("rules.yml", "groups: [{name: a, rules: [{record: a, expr: up, labels: {x: y}}, {record: a, expr: down, labels: {x: y}}]}]");
        var output = new StringWriter();
        Assert.True(RuleCheck.Run([path], new ParseOptions(), lintDuplicates: false, output));
        Assert.False(RuleCheck.Run([path], new ParseOptions(), lintDuplicates: true, output));
        Assert.Contains("1 duplicate rule(s) found.\nMetric: a\nLabel(s):\n\tx: y\n", output.ToString(), StringComparison.Ordinal);
        var (_, theirs) = Promtool.Run(directory.Path, "check", "rules", path);
        Assert.Contains("1 duplicate rule(s) found.", theirs, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Category", "Peers")]
    public void WhatIsWrittenReadsBackTheSame()
    {
        var file = RuleLab.File(Full);
        var text = RuleFileWriter.Write(file);
        Assert.Equal(text, RuleFileWriter.Write(RuleLab.File(text)));
        foreach (var group in file.Groups)
        {
            var back = RuleFileReader.ReadGroup(RuleFileWriter.Write(group), ParseOptions.All).File!.Groups.Single();
            Assert.Equal(RuleFileWriter.Write(group), RuleFileWriter.Write(back));
            Assert.Equal(group.Rules.Select(r => r.Expr), back.Rules.Select(r => r.Expr));
        }

        using var directory = new TemporaryDirectory();
        var plain = RuleLab.File("groups: [{name: 'a: b', rules: [{alert: B, expr: up, labels: {x: 'null', y: '#'}, annotations: {t: \"a\\nb: {{ $value }} 'q' \\\"d\\\" ä\\t\"}}]}]");
        Assert.Equal(0, Promtool.Run(directory.Path, "check", "rules", directory.Write("rules.yml", RuleFileWriter.Write(plain))).ExitCode);
        Assert.Equal(plain.Groups[0].Rules[0].Annotations, RuleLab.File(RuleFileWriter.Write(plain)).Groups[0].Rules[0].Annotations);
    }

    [Fact]
    public void TextsSurviveBeingWritten() => Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), text =>
    {
        var clean = string.Concat(text.Get.EnumerateRunes().Where(r => r.Value is 9 or 10 or (>= 32 and not 127 and not 0xFFFD and not 0xFEFF and not 0xFFFE and not 0xFFFF and (< 128 or >= 160)))).Replace("{{", "");
        var group = new RuleGroupSpec
        {
            Name = "g",
            Rules = [new RuleSpec { Alert = "A", Expr = "up", Expression = PromQLParser.Parse("up", ParseOptions.All), Annotations = new Dictionary<string, string> { ["t"] = clean } }],
        };
        var back = RuleFileReader.ReadGroup(RuleFileWriter.Write(group), ParseOptions.All);
        return back.File?.Groups.Single().Rules.Single().Annotations["t"] == clean;
    }));

    [Fact]
    public void HostileTextIsRefusedWithoutHarm()
    {
        var deep = new string('[', 300_000);
        Assert.Contains("nested deeper than 32", RuleFileReader.Read("groups: " + deep, ParseOptions.All).Errors.Single().Message, StringComparison.Ordinal);
        var laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + string.Concat("bcdefgh".Select(c => $"{c}: &{c} [{string.Join(',', Enumerable.Repeat("*" + (char)(c - 1), 10))}]\n")) + "groups: *h\n";
        Assert.NotEmpty(RuleFileReader.Read(laughs, ParseOptions.All).Errors);
        Assert.Contains("allowed are", RuleFileReader.Read(new string(' ', 17 << 20), ParseOptions.All).Errors.Single().Message, StringComparison.Ordinal);
        Assert.NotEmpty(RuleFileReader.Read("\0", ParseOptions.All).Errors);
    }
}
