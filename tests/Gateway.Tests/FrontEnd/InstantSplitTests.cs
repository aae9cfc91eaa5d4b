using System.Globalization;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Metrics.Gateway.FrontEnd;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Tests.Reference;
using Xunit;

namespace Metrics.Gateway.Tests.FrontEnd;

/// <summary>Instant queries over long ranges, in parts: which, into what, and that the answers are those of one evaluation.</summary>
public sealed class InstantSplitTests
{
    private const int Seed = 815;
    private const int Queries = 200;
    private static readonly string[] Functions = ["count_over_time", "min_over_time", "max_over_time", "last_over_time", "present_over_time", "sum_over_time", "rate", "quantile_over_time"];
    private static readonly string[] Metrics = ["temperature", "requests_total", "durations", "{__name__=\"temperature\",job=~\"a|b\"}", "{__name__=~\"temp.*\"}"];
    private static readonly string[] Choices = ["", "", "&replicaLabels[]=instance", "&replicaLabels[]=instance,zone"];
    private static readonly string[] Around = ["{0}", "({0})", "sum by (job) ({0})", "max by (job) ({0})", "min ({0})", "group by (zone) ({0})", "sum without (job, instance) (({0}))", "count ({0})", "1 + {0}", "-{0}"];

    [Theory]
    [InlineData("count_over_time(m[30m])", 3_000_000, "1800000 to 3000000 by 600000 count_over_time(m[10m])")]
    [InlineData("count_over_time(m[30m])", 3_000_001, "1800000 count_over_time(m[9m59s999ms])|2400000 to 3000000 by 600000 count_over_time(m[10m])|3000001 count_over_time(m[1ms])")]
    [InlineData("(max by (a) ((max_over_time(m{x=\"y\"}[25m] offset 1m))))", 3_000_000, "1800000 max by (a) (max_over_time(m{x=\"y\"}[5m] offset 1m))|2400000 to 3000000 by 600000 max by (a) (max_over_time(m{x=\"y\"}[10m] offset 1m))")]
    [InlineData("last_over_time({__name__=\"m\"}[20m])", 0, "-600000 to 0 by 600000 last_over_time({__name__=\"m\"}[10m])")]
    public void WhatIsSplitBecomesTheseParts(string query, long timeMs, string parts)
    {
        var split = InstantSplit.Of(Parse(query), timeMs, 600_000, withSums: false)!;
        var got = split.Parts.Select(static p => (p.IsRange ? $"{p.Grid.StartMs} to {p.Grid.EndMs} by {p.Grid.StepMs}" : $"{p.Grid.StartMs}") + " " + p.Query);
        Assert.Equal(parts, string.Join('|', got));
    }

    [Theory]
    [InlineData("count_over_time(m[19m])")] // fewer than two whole intervals
    [InlineData("sum_over_time(m[1h])")] // rounded otherwise
    [InlineData("avg_over_time(m[1h])")]
    [InlineData("rate(m[1h])")]
    [InlineData("count_over_time(m[1h:1m])")]
    [InlineData("count_over_time(m[1h] @ 1000)")]
    [InlineData("count_over_time(m[1h] @ end())")]
    [InlineData("count_over_time({job=\"a\"}[1h])")] // of several metrics, which may become the same series
    [InlineData("count_over_time({__name__=~\"m\"}[1h])")]
    [InlineData("max(min_over_time(m[1h]))")]
    [InlineData("sum(present_over_time(m[1h]))")]
    [InlineData("count(count_over_time(m[1h]))")]
    [InlineData("topk(1, max_over_time(m[1h]))")]
    [InlineData("count_over_time(m[1h]) + 1")]
    [InlineData("m")]
    [InlineData("m[1h]")]
    [InlineData("1")]
    public void TheRestIsLeftWhole(string query) => Assert.Null(InstantSplit.Of(Parse(query), 4_000_000, 600_000, withSums: false));

    [Fact]
    public void ThePartsCoverTheWindowOnce()
    {
        var cases = from time in Gen.Choose(-5_000_000, 5_000_000)
                    from range in Gen.Choose(1, 4_000_000)
                    from interval in Gen.Choose(1, 700_000)
                    select (Time: (long)time, Range: (long)range, Interval: (long)interval);
        Check.QuickThrowOnFailure(Prop.ForAll(cases.ToArbitrary(), static c =>
        {
            if (InstantSplit.Of(Parse($"sum_over_time(m[{c.Range}ms])"), c.Time, c.Interval, withSums: true) is not { } split)
            {
                Assert.True(c.Range < 3 * c.Interval, "so many intervals have two whole ones among them");
                return;
            }

            var at = c.Time - c.Range;
            foreach (var part in split.Parts)
            {
                for (var i = 0; i < part.Grid.Count; i++)
                {
                    Assert.Equal(at, part.Grid.At(i) - Window(part.Query));
                    at = part.Grid.At(i);
                }
            }

            Assert.Equal(c.Time, at);
            Assert.InRange(split.Parts.Sum(static p => p.Grid.Count), 2, 900);
        }));
    }

    [Fact]
    public async Task AnswersInPartsAreThoseOfOneEvaluationColdWarmAndWhileSamplesComeAndGo()
    {
        var random = new Random(Seed);
        await using var world = new StoredSeries();
        world.Time.Now = DateTimeOffset.UnixEpoch.AddMinutes(55);
        await world.WriteAsync(new DataGenerator(random).Series());
        using var plain = await world.ServeAsync(static o => o.FrontEnd.SplitInstantInterval = TimeSpan.Zero);
        using var split = await world.ServeAsync(static o => o.FrontEnd.SplitInstantInterval = TimeSpan.FromMinutes(2));
        for (var i = 0; i < Queries; i++)
        {
            var call = Functions[random.Next(Functions.Length)];
            var window = $"{Metrics[random.Next(Metrics.Length)]}[{random.Next(1, 1800)}s]{(random.Next(5) == 0 ? " offset 3m" : "")}";
            var query = string.Format(CultureInfo.InvariantCulture, Around[random.Next(Around.Length)], call + (call == "quantile_over_time" ? $"(0.5, {window})" : $"({window})"));
            var choice = Choices[random.Next(Choices.Length)];
            foreach (var time in new[] { random.Next(0, 2000), 1800 })
            {
                if (random.Next(8) == 0)
                {
                    // On either side of the line before which the past is settled.
                    await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", "temperature"), ("instance", "a"), ("job", "d")), [new NaiveSample(random.Next(1, 1_800_000), random.Next(100))])]);
                }

                Assert.True(await AskAsync(plain, query, time, choice) == await AskAsync(split, query, time, choice), $"seed {Seed}: {query} at {time}{choice}");
            }
        }

        var cached = (await split.GetStringAsync("/metrics")).Split('\n').Single(static l => l.StartsWith("metrics_query_cached_steps_total ", StringComparison.Ordinal));
        Assert.True(int.Parse(cached.Split(' ')[1], CultureInfo.InvariantCulture) > 50, cached);
    }

    [Fact]
    public async Task SumsAreSplitWhereTheirLastDigitsMayDiffer()
    {
        await using var world = new StoredSeries();
        await world.WriteAsync([new NaiveSeries(Labels.Of(("__name__", "m")), [.. Enumerable.Range(0, 100).Select(static i => new NaiveSample(i * 15_000, i))])]);
        using var split = await world.ServeAsync(static o => (o.FrontEnd.SplitInstantInterval, o.FrontEnd.SplitSums) = (TimeSpan.FromMinutes(2), true));
        Assert.Contains("\"4950\"]", await AskAsync(split, "sum_over_time(m[30m])", 1500));
        Assert.Contains("\"4950\"]", await AskAsync(split, "sum(sum_over_time(m[30m]))", 1500));
        Assert.Contains("metrics_query_steps_total 28\n", await split.GetStringAsync("/metrics"));
    }

    /// <summary>Status and body, the series of a vector in the order of their text: an instant vector has none of its own.</summary>
    private static async Task<string> AskAsync(HttpClient client, string query, int time, string choice = "")
    {
        using var response = await client.GetAsync($"/api/v1/query?query={Uri.EscapeDataString(query)}&time={time}{choice}");
        var body = await response.Content.ReadAsStringAsync();
        using var json = JsonDocument.Parse(body);
        return !response.IsSuccessStatusCode ? $"{response.StatusCode} {body}"
            : $"{string.Join('\n', json.RootElement.GetProperty("data").GetProperty("result").EnumerateArray().Select(static e => e.GetRawText()).Order(StringComparer.Ordinal))} {Remarks("warnings")} {Remarks("infos")}";

        string Remarks(string name) => json.RootElement.TryGetProperty(name, out var remarks) ? remarks.GetRawText() : "";
    }

    private static Expr Parse(string query) => PromQLParser.Parse(query, ParseOptions.All);

    private static long Window(string query) => ((MatrixSelector)((CallExpr)Parse(query)).Arguments[0]).Range.Ms;
}
