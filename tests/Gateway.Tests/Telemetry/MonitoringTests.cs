using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Tests.Telemetry;

/// <summary>The dashboards and alert rules in k8s/monitoring, against the real promtool and what <c>/metrics</c> serves.</summary>
public sealed partial class MonitoringTests
{
    private static readonly string Folder = Path.Combine(Root(), "k8s", "monitoring");

    [Fact]
    [Trait("Category", "Peers")]
    public async Task PromtoolAcceptsTheRules()
    {
        var start = new ProcessStartInfo("promtool", ["check", "rules", Path.Combine(Folder, "alerts.yaml")]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output + await errors);
        Assert.Contains("SUCCESS", output, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryAlertHasARunbook()
    {
        var sections = File.ReadLines(Path.Combine(Root(), "docs", "runbooks.md")).Where(l => l.StartsWith("## ", StringComparison.Ordinal)).Select(l => $"docs/runbooks.md#{l[3..].ToLowerInvariant()}").ToList();
        Assert.Equal(Alerts().Select(a => a["annotations"]["runbook_url"].ToString()), sections);
    }

    [Fact]
    public async Task EveryMetricAndLabelThatTheyNameIsServed()
    {
        var (families, labels) = await ServedAsync();
        var expressions = Rules().Concat(Dashboards()).ToList();
        Assert.True(expressions.Count > 50);
        foreach (var (place, text) in expressions)
        {
            var query = PromQLParser.Parse(Variable().Replace(text, "5m"), new ParseOptions());
            foreach (var matchers in ExpressionTree.Selectors(query))
            {
                var name = matchers.Single(m => m.Name == Labels.MetricName).Value;
                Assert.True(families.Contains(name), $"{place}: nothing serves {name} in {text}");
                foreach (var matcher in matchers.Where(m => m.Name is not (Labels.MetricName or "job" or "instance") && labels.ContainsKey(name)))
                {
                    Assert.True(labels[name].Contains(matcher.Name), $"{place}: {name} has no label {matcher.Name} in {text}");
                }
            }
        }
    }

    [Fact]
    public void DashboardsAreWhole()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Folder, "dashboards"), "*.json"))
        {
            using var dashboard = JsonDocument.Parse(File.ReadAllText(file));
            Assert.True(names.Add(dashboard.RootElement.GetProperty("uid").GetString()!), $"{file}: its uid is another one's");
            var ids = dashboard.RootElement.GetProperty("panels").EnumerateArray().Select(p => p.GetProperty("id").GetInt32()).ToList();
            Assert.Equal(ids.Distinct().Count(), ids.Count);
            Assert.All(dashboard.RootElement.GetProperty("panels").EnumerateArray().ToList(), p => Assert.NotEmpty(p.GetProperty("targets").EnumerateArray().ToList()));
        }

        Assert.Equal(4, names.Count);
    }

    /// <summary>Every name that can be selected, and of those that have samples in a server that has seen some work, their labels.</summary>
    private static async Task<(HashSet<string> Families, Dictionary<string, HashSet<string>> Labels)> ServedAsync()
    {
        await using var app = await GatewayApp.StartAsync();
        await app.WriteAsync(WriteMessage.Of(WriteMessage.Series("__name__=up", (1000, 1))));
        await app.GetAsync("/api/v1/query?query=up");
        var text = (await app.GetAsync("/metrics")).Body;
        var families = new HashSet<string>(StringComparer.Ordinal);
        foreach (Match type in TypeLine().Matches(text))
        {
            var name = type.Groups["name"].Value;
            families.UnionWith(type.Groups["type"].Value == "histogram" ? [name + "_bucket", name + "_sum", name + "_count"] : [name]);
        }

        var labels = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (Match sample in SampleLine().Matches(text))
        {
            if (!labels.TryGetValue(sample.Groups["name"].Value, out var names))
            {
                labels.Add(sample.Groups["name"].Value, names = new HashSet<string>(StringComparer.Ordinal));
            }

            names.UnionWith(LabelName().Matches(sample.Groups["labels"].Value).Select(m => m.Groups["name"].Value));
        }

        return (families, labels);
    }

    private static IEnumerable<(string Place, string Expression)> Rules() => Alerts().Select(rule => (rule["alert"].ToString(), rule["expr"].ToString()));

    private static IEnumerable<YamlNode> Alerts()
    {
        var yaml = new YamlStream();
        using var text = File.OpenText(Path.Combine(Folder, "alerts.yaml"));
        yaml.Load(text);
        foreach (var group in (YamlSequenceNode)yaml.Documents[0].RootNode["groups"])
        {
            foreach (var rule in (YamlSequenceNode)group["rules"])
            {
                yield return rule;
            }
        }
    }

    private static IEnumerable<(string Place, string Expression)> Dashboards()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Folder, "dashboards"), "*.json"))
        {
            using var dashboard = JsonDocument.Parse(File.ReadAllText(file));
            foreach (var panel in dashboard.RootElement.GetProperty("panels").EnumerateArray())
            {
                foreach (var target in panel.GetProperty("targets").EnumerateArray())
                {
                    yield return ($"{Path.GetFileName(file)}, {panel.GetProperty("title").GetString()}", target.GetProperty("expr").GetString()!);
                }
            }
        }
    }

    private static string Root()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "Metrics.sln")))
        {
            at = Path.GetDirectoryName(at) ?? throw new InvalidOperationException("the repository root was not found");
        }

        return at;
    }

    [GeneratedRegex(@"\$__rate_interval")]
    private static partial Regex Variable();

    [GeneratedRegex("^# TYPE (?<name>[a-z_]+) (?<type>[a-z]+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^(?<name>[a-z_]+)(\{(?<labels>.*)\})? [^ ]+$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex SampleLine();

    [GeneratedRegex("(?<name>[a-z_]+)=\"", RegexOptions.ExplicitCapture)]
    private static partial Regex LabelName();
}
