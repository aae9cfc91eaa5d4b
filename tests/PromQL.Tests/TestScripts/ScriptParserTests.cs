using Metrics.Model;
using Metrics.PromQL.TestScripts;
using Xunit;

namespace Metrics.PromQL.Tests.TestScripts;

public sealed class ScriptParserTests
{
    [Theory]
    [InlineData("m 5 -1.5e3 .5 Inf -inf NaN", "5 -1500 0.5 +Inf -Inf NaN")]
    [InlineData("m _ _x2 1", "_ _ _ 1")]
    [InlineData("m 2x2", "2 2 2")]
    [InlineData("m 0+10x2 1-1x1", "0 10 20 1 0")]
    [InlineData("m 1e+2x1", "100 100")]
    [InlineData("m 0x2 stale", "0 0 0 stale")]
    [InlineData("m{a=\"x y\"} 1", "1")]
    [InlineData("{\"m.n\", 'l'='v'} 1", "1")]
    public void ItemsExpand(string line, string want)
    {
        var load = (LoadCommand)ScriptParser.Parse($"load 1m\n  {line}\n").Single();
        Assert.Equal(want, string.Join(' ', load.Series[0].Values.Select(v => v.IsPresent ? Comparison.Show(v.Value, v.Histogram) : "_")));
    }

    [Fact]
    public void HistogramsAddUp()
    {
        var load = (LoadCommand)ScriptParser.Parse("load 1m\n m {{schema:0 sum:1 count:2 buckets:[1 0 1] offset:-1}}+{{schema:1 count:1 buckets:[1] offset:3}}x2").Single();
        var last = load.Series[0].Values[2].Histogram!;
        Assert.Equal(3, load.Series[0].Values.Count);
        Assert.Equal(4, last.Count);
        Assert.Equal(new Dictionary<int, double> { [-1] = 1, [1] = 1, [2] = 2 }, BucketMap.Of(last.PositiveSpans, last.PositiveBuckets));
    }

    [Fact]
    public void StartTimesBelongToTheNextLine()
    {
        var load = (LoadCommand)ScriptParser.Parse("load 1m\n m{a=\"b\"}@st _ -30s-1mx1\n m{a=\"b\"} 1 2 3").Single();
        Assert.Equal([null, -30_000, -90_000], load.Series[0].StartOffsets!);
        Assert.Throws<ScriptException>(() => ScriptParser.Parse("load 1m\n m@st _\n m 1 2"));
    }

    [Fact]
    public void ExpectationsAreRead()
    {
        var script = """
            # comment
            eval range from 0 to 10m step 5m sum by (x) (m)
              expect warn regex: a.*
              expect no_info
              {x="1"} 1 _ 3

            eval instant at 5m 1
              expect ordered
              7
            eval_fail instant at 0 bad
              expected_fail_message no
            """;
        var evals = ScriptParser.Parse(script).Cast<EvalCommand>().ToList();
        Assert.Equal(new TimeGrid(0, 600_000, 300_000), evals[0].Grid);
        Assert.Equal([ExpectedMessage.Warn, ExpectedMessage.NoInfo], evals[0].Expectations.Select(e => e.Kind));
        Assert.Equal(Labels.Of(("x", "1")), evals[0].Series[0].Labels);
        Assert.True(evals[1].Ordered);
        Assert.Equal(7, evals[1].Scalar);
        Assert.True(evals[2].Fails);
        Assert.Equal("no", evals[2].Expectations[0].Text);
    }

    [Theory]
    [InlineData("nonsense", 1)]
    [InlineData("\nload x\n", 2)]
    [InlineData("load 1m\n m{a=b} 1", 2)]
    [InlineData("load 1m\n m 1 what", 2)]
    [InlineData("load 1m\n m {{foo:1}}", 2)]
    [InlineData("load 1m\n m 1x9999999", 2)]
    [InlineData("eval instant at 5x m", 1)]
    public void ErrorsNameTheLine(string script, int line) => Assert.Equal(line, Assert.Throws<ScriptException>(() => ScriptParser.Parse(script)).Line);

    [Fact]
    public async Task StorageGivesBackWhatWasLoadedWithTheHintsOfChunks()
    {
        var storage = new ScriptStorage(3);
        storage.Load((LoadCommand)ScriptParser.Parse("load 1m\n h {{count:1}} {{count:2}} {{count:1}} {{count:3}}\n m 1 2 _ 4").Single());
        var hints = new List<CounterResetHint>();
        var values = new List<double>();
        foreach (var shard in storage.Shards)
        {
            using var set = await shard.SelectAsync(new SeriesSelection([], new TimeRange(60_000, 180_000), new SelectionHints()), default);
            for (var i = 0; i < set.Count; i++)
            {
                using var buffer = new SampleBuffer();
                set.Read(i, buffer);
                foreach (var histogram in buffer.Histograms)
                {
                    hints.Add(histogram!.CounterResetHint);
                }

                if (!buffer.HasHistograms)
                {
                    values.AddRange(buffer.Values.ToArray());
                }
            }
        }

        Assert.Equal([CounterResetHint.NotReset, CounterResetHint.Unknown, CounterResetHint.NotReset], hints);
        Assert.Equal([2.0, 4.0], values);
        Assert.Throws<ScriptException>(() => storage.Load((LoadCommand)ScriptParser.Parse("load 1m\n m 1 7").Single()));
    }

    [Theory]
    [InlineData(1, 1.0000001, true)]
    [InlineData(1, 1.00001, false)]
    [InlineData(0, 1e-300, false)]
    [InlineData(0, -0.0, true)]
    [InlineData(double.NaN, double.NaN, true)]
    [InlineData(double.PositiveInfinity, double.NegativeInfinity, false)]
    [InlineData(double.MaxValue, double.MaxValue, true)]
    public void FloatsAreComparedLikeTheReference(double a, double b, bool same)
    {
        Assert.Equal(same, Comparison.AreClose(a, b));
        Assert.False(Comparison.AreClose(StaleMarker.Value, double.NaN));
    }
}
