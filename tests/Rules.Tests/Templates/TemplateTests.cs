using Metrics.Model;
using Metrics.Rules.Templates;
using Xunit;

namespace Metrics.Rules.Tests.Templates;

/// <summary>Templates against texts derived from the documentation of Go's text/template and fmt packages and of Prometheus's template functions.</summary>
public sealed class TemplateTests
{
    private static readonly AlertData data = new(
        TemplateMap.Of(Labels.Of(("__name__", "up"), ("instance", "db.example.org:9100"), ("job", "node"))),
        TemplateMap.Of(Labels.Of(("region", "eu"))),
        "http://metrics.example/prom",
        1234.5);

    [Theory]
    // Text, trimming, comments
    [InlineData("plain", "plain")]
    [InlineData("", "")]
    [InlineData("a {{- 1 }} b", "a1 b")]
    [InlineData("a {{ 1 -}} b", "a 1b")]
    [InlineData("{{23 -}} < {{- 45}}", "23<45")]
    [InlineData("x{{/* a comment */}}y", "xy")]
    [InlineData("x {{- /* a comment */ -}} y", "xy")]
    [InlineData("{{\"output\"}}", "output")]
    [InlineData("{{`a\\n\"b`}}", "a\\n\"b")]
    [InlineData("{{\"\\u00e4\\x41\\101\\n\"}}", "äAA\n")]
    [InlineData("{{'a'}}", "97")]
    // The examples of the package's documentation
    [InlineData("{{printf \"%q\" \"output\"}}", "\"output\"")]
    [InlineData("{{\"output\" | printf \"%q\"}}", "\"output\"")]
    [InlineData("{{printf \"%q\" (print \"out\" \"put\")}}", "\"output\"")]
    [InlineData("{{\"put\" | printf \"%s%s\" \"out\" | printf \"%q\"}}", "\"output\"")]
    [InlineData("{{\"output\" | printf \"%s\" | printf \"%q\"}}", "\"output\"")]
    [InlineData("{{with \"output\"}}{{printf \"%q\" .}}{{end}}", "\"output\"")]
    [InlineData("{{with $x := \"output\" | printf \"%q\"}}{{$x}}{{end}}", "\"output\"")]
    [InlineData("{{with $x := \"output\"}}{{printf \"%q\" $x}}{{end}}", "\"output\"")]
    [InlineData("{{with $x := \"output\"}}{{$x | printf \"%q\"}}{{end}}", "\"output\"")]
    [InlineData("{{define \"T1\"}}ONE{{end}}{{define \"T2\"}}TWO{{end}}{{define \"T3\"}}{{template \"T1\"}} {{template \"T2\"}}{{end}}{{template \"T3\"}}", "ONE TWO")]
    [InlineData("{{block \"b\" .Labels}}{{.job}}{{end}}", "node")]
    // Data and variables
    [InlineData("{{.Labels.job}} {{$labels.job}} {{ $labels.missing }}|", "node node |")]
    [InlineData("{{.Value}} {{$value}}", "1234.5 1234.5")]
    [InlineData("{{$externalLabels.region}} {{$externalURL}}", "eu http://metrics.example/prom")]
    [InlineData("{{externalURL}} {{pathPrefix}}", "http://metrics.example/prom /prom")]
    [InlineData("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2")]
    [InlineData("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21")]
    [InlineData("{{(args 1 2).arg1}} {{(args).nothing}}", "2 <no value>")]
    [InlineData("{{.Labels}}", "map[__name__:up instance:db.example.org:9100 job:node]")]
    [InlineData("{{$.Value}}{{with 1}}{{$.Value}}{{end}}", "1234.51234.5")]
    // Branches
    [InlineData("{{if eq .Labels.job \"x\" \"node\"}}yes{{else}}no{{end}}", "yes")]
    [InlineData("{{if false}}a{{else if 0}}b{{else if .Labels.missing}}c{{else}}d{{end}}", "d")]
    [InlineData("{{with .Labels.missing}}a{{else with 5}}b{{.}}{{end}}", "b5")]
    [InlineData("{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}", "__name__=up;instance=db.example.org:9100;job=node;")]
    [InlineData("{{range .ExternalLabels}}{{.}}{{end}}", "eu")]
    [InlineData("{{range query \"three\"}}{{.Labels.id}}:{{.Value}} {{end}}", "c:3 a:1 b:2 ")]
    [InlineData("{{range $i, $s := query \"three\"}}{{if eq $i 1}}{{continue}}{{end}}{{if eq $i 2}}{{break}}{{end}}{{$i}}{{end}}", "0")]
    [InlineData("{{range query \"none\"}}x{{else}}empty{{end}}", "empty")]
    [InlineData("{{range 3}}{{.}}{{end}}", "012")]
    // Functions of Go
    [InlineData("{{and 1 0 2}} {{or 0 \"\" 3}} {{not 0}} {{and true \"x\"}}", "0 3 true x")]
    [InlineData("{{or 1 (index .Labels 5)}}", "1")]
    [InlineData("{{len \"äb\"}} {{len .Labels}} {{len (query \"three\")}}", "3 3 3")]
    [InlineData("{{index .Labels \"job\"}} {{(index (query \"three\") 1).Value}}", "node 1")]
    [InlineData("{{slice \"abcd\" 1 3}} {{slice \"abcd\" 2}}", "bc cd")]
    [InlineData("{{eq 1 1}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 2 1}} {{ge 1 2}} {{lt \"a\" \"b\"}} {{gt 1.5 1.0}}", "true true true true true false true true")]
    [InlineData("{{print 1 2 \"a\" 3}} {{println 1 \"a\"}}", "1 2a3 1 a\n")]
    [InlineData("{{html \"<a href='x'>&\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;")]
    [InlineData("{{js \"it's <b>\"}}", "it\\'s \\u003Cb\\u003E")]
    [InlineData("{{urlquery \"a b&c/ä\"}}", "a+b%26c%2F%C3%A4")]
    // Functions of Prometheus
    [InlineData("{{query \"three\" | first | value}} {{query \"three\" | sortByLabel \"id\" | first | label \"id\"}}", "3 a")]
    [InlineData("{{query \"named\" | first | strvalue}}", "text")]
    [InlineData("{{humanize 1048576}} {{humanize1024 1048576}} {{humanizeDuration 135.3563}} {{humanizePercentage 0.959}} {{humanizeTimestamp 1643114203}}",
        "1.049M 1Mi 2m 15s 95.9% 2022-01-25 12:36:43 +0000 UTC")]
    [InlineData("{{humanize 0}} {{humanize 0.00012}} {{humanize -1500}} {{humanize \"12345678901234567890123456789\"}}", "0 120u -1.5k 1.235e+04Y")]
    [InlineData("{{humanize 999.99999}} {{humanize 1}} {{humanize 1e24}}", "1000 1 1Y")]
    [InlineData("{{humanize1024 0.5}} {{humanize1024 1024}} {{humanize1024 -1536}}", "0.5 1ki -1.5ki")]
    [InlineData("{{humanizeDuration 0}} {{humanizeDuration 1}} {{humanizeDuration 59.95}} {{humanizeDuration 3600}} {{humanizeDuration 86400}} {{humanizeDuration -93784}}",
        "0s 1s 59.95s 1h 0m 0s 1d 0h 0m 0s -1d 2h 3m 4s")]
    [InlineData("{{humanizeDuration .1}} {{humanizeDuration .00012}} {{humanizeDuration \"1\"}}", "100ms 120us 1s")]
    [InlineData("{{humanizePercentage -0.22222}} {{humanizePercentage 1234567}}", "-22.22% 1.235e+08%")]
    [InlineData("{{humanizeTimestamp 1435065584.128}}", "2015-06-23 13:19:44.128 +0000 UTC")]
    [InlineData("{{title \"this part\"}} {{toUpper \"is testing\"}} {{toLower \"THE STRINGS\"}}. {{ stripPort \"[::1]:6006\"}} {{ stripPort \"127.0.0.1:4004\"}}. {{parseDuration \"2h10m15s\"}}.",
        "This Part IS TESTING the strings. ::1 127.0.0.1. 7815.")]
    [InlineData("{{if match \"[0-9]+\" \"1234\"}}{{reReplaceAll \"r.*d\" \"replaced\" \"rpld text\"}}{{end}}. {{if match \"[0-9]+$\" \"1234a\"}}WRONG{{end}}.", "replaced text. .")]
    [InlineData("{{reReplaceAll \"a(.)\" \"<$1>\" \"ab ac\"}} {{reReplaceAll \"x*\" \"-\" \"baxxc\"}}", "<b> <c> -b-a-c-")]
    [InlineData("{{stripPort \"host\"}} {{stripDomain \"db.example.org:9100\"}} {{stripDomain \"127.0.0.1:80\"}} {{stripDomain \"a.b\"}}", "host db:9100 127.0.0.1:80 a")]
    [InlineData("{{tableLink \"up == 0\"}} {{graphLink \"up\"}}", "/graph?g0.expr=up+%3D%3D+0&g0.tab=1 /graph?g0.expr=up&g0.tab=0")]
    [InlineData("{{parseDuration \"-1m30s\"}} {{urlQueryEscape \"a b\"}} {{safeHtml \"<b>\"}} {{now}}", "-90 a+b <b> 1.6e+09")]
    [InlineData("{{define \"x\"}}[{{.}}]{{end}}{{tmpl \"x\" 5}}", "[5]")]
    [InlineData("{{(toTime 1643114203).Format \"02 Jan 2006 15:04\"}} {{(toTime 0).Year}} {{toTime 1.5}}", "25 Jan 2022 12:36 1970 1970-01-01 00:00:01.5 +0000 UTC")]
    [InlineData("{{toDuration 90}} {{(toDuration 5400).Hours}} {{humanizeDuration (toDuration 60)}}", "1m30s 1.5 1m 0s")]
    public async Task ATemplateExpandsAsDocumented(string template, string want) => Assert.Equal(want, await Expand(template));

    [Theory]
    [InlineData("%v", 1e6, "1e+06")]
    [InlineData("%v", 123456789.0, "1.23456789e+08")]
    [InlineData("%v", 100000.0, "100000")]
    [InlineData("%v", 0.0001, "0.0001")]
    [InlineData("%v", 0.00001, "1e-05")]
    [InlineData("%.2f", 2.675, "2.67")]
    [InlineData("%.2f", 0.125, "0.12")]
    [InlineData("%.0f", 2.5, "2")]
    [InlineData("%.0f", 3.5, "4")]
    [InlineData("%f", 1.5, "1.500000")]
    [InlineData("%e", 123456.789, "1.234568e+05")]
    [InlineData("%.3g", 1234.5678, "1.23e+03")]
    [InlineData("%.4g", 1234.5678, "1235")]
    [InlineData("%g", 1e21, "1e+21")]
    [InlineData("%8.2f|", 3.14159, "    3.14|")]
    [InlineData("%-8.2f|", 3.14159, "3.14    |")]
    [InlineData("%08.2f", -3.14159, "-0003.14")]
    [InlineData("%+.1f", 3.0, "+3.0")]
    [InlineData("%d", 1.5, "%!d(float64=1.5)")]
    [InlineData("%s", 2.0, "%!s(float64=2)")]
    [InlineData("%.2f%%", 99.5, "99.50%")]
    [InlineData("%v and %v", 1.0, "1 and %!v(MISSING)")]
    [InlineData("no verb", 1.0, "no verb%!(EXTRA float64=1)")]
    [InlineData("%", 1.0, "%!(NOVERB)%!(EXTRA float64=1)")]
    [InlineData("%z", 1.0, "%!z(float64=1)")]
    [InlineData("%T", 1.0, "float64")]
    [InlineData("%v", double.NaN, "NaN")]
    [InlineData("%v", double.PositiveInfinity, "+Inf")]
    [InlineData("%v", double.NegativeInfinity, "-Inf")]
    [InlineData("%.1f", 0.05, "0.1")]
    [InlineData("%.1f", 0.25, "0.2")]
    [InlineData("%.0f", 0.5, "0")]
    [InlineData("%.3f", 9.9996, "10.000")]
    public void FloatsPrintAsInGo(string format, double value, string want) => Assert.Equal(want, GoPrintf.Format(format, [value]));

    [Theory]
    [InlineData("{{printf \"%d %5d|%-5d|%05d %x %X %o %b %c %U %+d\" 42 42 42 42 255 255 8 5 65 65 7}}", "42    42|42   |00042 ff FF 10 101 A U+0041 +7")]
    [InlineData("{{printf \"%s %10s|%-10s|%.2s %q %x %v\" \"a\" \"b\" \"c\" \"def\" \"g\\\"\" \"hi\" \"i\"}}", "a          b|c         |de \"g\\\"\" 6869 i")]
    [InlineData("{{printf \"%t %v\" true false}}", "true false")]
    [InlineData("{{printf \"%s\" 5}} {{printf \"%d\" \"x\"}} {{printf \"%s\" nil}}", "%!s(int=5) %!d(string=x) %!s(<nil>)")]
    [InlineData("{{printf \"%*d|%.*f\" 5 42 1 2.25}}", "   42|2.2")]
    [InlineData("{{printf \"%v\" .ExternalLabels}}", "map[region:eu]")]
    public async Task PrintfWritesWhatGoWrites(string template, string want) => Assert.Equal(want, await Expand(template));

    [Theory]
    [InlineData("{{ .Foo }}", "template: __alert_A:1:115: executing \"__alert_A\" at <.Foo>: can't evaluate field Foo in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }")]
    [InlineData("{{ if gt $value 5 }}x{{ end }}", "at <gt $value 5>: error calling gt: incompatible types for comparison")]
    [InlineData("{{ query \"none\" | first }}", "at <first>: error calling first: first() called on vector with no elements")]
    [InlineData("{{ humanize \"x\" }}", "error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax")]
    [InlineData("{{ parseDuration \"x\" }}", "error calling parseDuration: not a valid duration string: \"x\"")]
    [InlineData("{{ toUpper 1.5 }}", "wrong type for value; expected string; got float64")]
    [InlineData("{{ humanize }}", "wrong number of args for humanize: want 1 got 0")]
    [InlineData("{{ template \"x\" }}", "template \"x\" not defined")]
    [InlineData("{{ query \"bad\" }}", "error calling query: no such thing")]
    [InlineData("{{ range $value }}{{ end }}", "range can't iterate over 1234.5")]
    [InlineData("{{ match \"(\" \"x\" }}", "error calling match: error parsing regexp")]
    [InlineData("{{ define \"r\" }}{{ template \"r\" }}{{ end }}{{ template \"r\" }}", "exceeded maximum template depth")]
    [InlineData("{{ range 999999 }}{{ range 999999 }}{{ end }}{{ end }}", "more than 1000000 steps")]
    [InlineData("{{ range 99999 }}{{ printf \"%9999d\" 1 }}{{ end }}", "text is longer than 1048576 characters")]
    public async Task AFailureSaysWhereAndWhat(string template, string want)
    {
        var failure = await Assert.ThrowsAsync<TemplateException>(() => Expand(template));
        Assert.Contains(want, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ nosuch }}", "template: __alert_A:1: function \"nosuch\" not defined")]
    [InlineData("{{ $x }}", "template: __alert_A:1: undefined variable \"$x\"")]
    [InlineData("{{ if true }}", "template: __alert_A:1: unexpected EOF")]
    [InlineData("{{ end }}", "template: __alert_A:1: unexpected {{end}}")]
    [InlineData("{{ else }}", "template: __alert_A:1: unexpected {{else}}")]
    [InlineData("\n\n{{ .Labels.job ", "template: __alert_A:3: unclosed action")]
    [InlineData("{{ \"x }}", "template: __alert_A:1: unterminated quoted string")]
    [InlineData("{{ if }}x{{ end }}", "template: __alert_A:1: missing value for if")]
    [InlineData("{{ }}", "template: __alert_A:1: missing value for command")]
    [InlineData("{{ (1 }}", "template: __alert_A:1: unclosed left paren")]
    [InlineData("{{ 1) }}", "template: __alert_A:1: unexpected right paren")]
    [InlineData("{{ 1 | 2 }}", "template: __alert_A:1: non executable command in pipeline stage 2")]
    [InlineData("{{ break }}", "template: __alert_A:1: {{break}} outside {{range}}")]
    [InlineData("{{ /* x }}", "template: __alert_A:1: unclosed comment")]
    [InlineData("{{ 1x }}", "template: __alert_A:1: bad number syntax: \"1x\"")]
    [InlineData("{{ define \"x\" }}", "template: __alert_A:1: unexpected EOF")]
    [InlineData("{{ ! }}", "template: __alert_A:1: unrecognized character in action: U+0021 '!'")]
    public void AMistakeIsReportedWhenParsed(string template, string want) =>
        Assert.Equal(want, Assert.Throws<TemplateException>(() => Template.OfAlert("A", template)).Message);

    [Fact]
    public void NestingIsBounded()
    {
        var parens = "{{" + new string('(', 200_000) + "1" + new string(')', 200_000) + "}}";
        var branches = string.Concat(Enumerable.Repeat("{{if 1}}", 100_000)) + string.Concat(Enumerable.Repeat("{{end}}", 100_000));
        Assert.Contains("max expression depth", Assert.Throws<TemplateException>(() => Template.OfAlert("A", parens)).Message, StringComparison.Ordinal);
        Assert.Contains("max expression depth", Assert.Throws<TemplateException>(() => Template.OfAlert("A", branches)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoTextCrashesTheParser()
    {
        string[] pieces = ["{{", "}}", "{{-", "-}}", " ", "if", "range", "end", "else", "with", "define", "\"x\"", "$x", ":=", "=", ",", "|", "(", ")", ".", ".a", "1", "1.5", "'", "`", "/*", "*/", "template", "ä", "\\", "\n", "args", "break"];
        const int seed = 20260101;
        var random = new Random(seed);
        for (var run = 0; run < 20_000; run++)
        {
            var text = "{{" + string.Concat(Enumerable.Range(0, random.Next(1, 14)).Select(_ => pieces[random.Next(pieces.Length)] + (random.Next(2) == 0 ? " " : "")));
            try
            {
                Template.OfAlert("A", text);
            }
            catch (TemplateException)
            {
                // A mistake is the expected answer; anything else fails the test.
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}, template {text}: {e}");
            }
        }
    }

    private static async Task<string> Expand(string text) =>
        await Template.OfAlert("A", text).ExpandAsync(data, new TemplateEnvironment(Query, 1_600_000_000_000, "http://metrics.example/prom"), CancellationToken.None);

    private static ValueTask<RuleVector> Query(string query, CancellationToken cancellation) => query switch
    {
        "three" => new(new RuleVector([new(Labels.Of(("id", "c")), 3), new(Labels.Of(("id", "a")), 1), new(Labels.Of(("id", "b")), 2)])),
        "named" => new(new RuleVector([new(Labels.Of(("__value__", "text")), 3)])),
        "none" => new(new RuleVector([])),
        _ => throw new RuleQueryException("no such thing"),
    };
}
