using Metrics.Model;

namespace Metrics.Cluster.Tests;

public sealed class SeriesRewriteTests
{
    private readonly FakeTenant tenant = new(4);
    private readonly CountingRewrite rewrite = new();
    private readonly TenantWriter writer;

    public SeriesRewriteTests() => writer = new TenantWriter(tenant, new LabelLimits { MaxLabels = 4, MaxNameBytes = 16, MaxValueBytes = 32 }, rewrite: rewrite);

    [Fact]
    public async Task KnownSeriesAreNotRewrittenAgainWhetherKeptOrLeftOut()
    {
        for (var round = 1; round <= 3; round++)
        {
            var outcome = await Write(
                round,
                PairLabels.Encode(("__name__", "m"), ("pod", "p")),
                PairLabels.Encode(("__name__", "drop"), ("a", "1")),
                PairLabels.Encode(("__name__", "m"), ("b", "2")),
                PairLabels.Encode(("__name__", "drop"), ("a", "2")));
            Assert.Equal((2, 2, 0), (outcome.Accepted, outcome.LeftOut, outcome.Rejected));
            Assert.Equal(4, rewrite.Calls);
        }

        Assert.Equal(["m 1", "m 2", "m 3", "m{b=\"2\"} 1", "m{b=\"2\"} 2", "m{b=\"2\"} 3"], tenant.Samples.Select(s => $"{s.Labels} {s.Time}"));
    }

    [Fact]
    public async Task AShardThatRestartedGetsRewrittenLabels()
    {
        await Write(1, PairLabels.Encode(("__name__", "m"), ("pod", "p")), PairLabels.Encode(("__name__", "drop")));
        Array.ForEach(tenant.Fakes, f => f.Restart());
        var outcome = await Write(2, PairLabels.Encode(("__name__", "m"), ("pod", "p")), PairLabels.Encode(("__name__", "drop")));
        Assert.Equal((1, 1), (outcome.Accepted, outcome.LeftOut));
        Assert.Equal(["m 1", "m 2"], tenant.Samples.Select(s => $"{s.Labels} {s.Time}"));
    }

    [Fact]
    public async Task LimitsHoldForWhatIsLeftOfTheLabels()
    {
        // Five labels and a long value come; the rules take them away, or bring the name.
        var outcome = await Write(
            1,
            PairLabels.Encode(("__name__", "m"), ("a", "1"), ("b", "2"), ("c", "3"), ("pod", new string('x', 100))),
            PairLabels.Encode(("__name__", "m"), ("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")),
            PairLabels.Encode(("name", "n")),
            PairLabels.Encode(("__name__", "noname")));
        Assert.Equal(2, outcome.Accepted);
        Assert.Equal([(RejectReason.MissingMetricName, 1), (RejectReason.TooManyLabels, 1)], outcome.Rejections.Select(r => (r.Reason, r.Count)).Order());
        Assert.Equal(["m{a=\"1\", b=\"2\", c=\"3\"} 1", "n 1"], tenant.Samples.Select(s => $"{s.Labels} {s.Time}"));
    }

    [Fact]
    public async Task AGateLeavesOutARequestByItsFirstSeries()
    {
        foreach (var (first, want) in new[] { ("no", 0), ("yes", 2) })
        {
            var gate = new FirstSeriesGate();
            using var request = writer.Begin<PairLabels>(default, gate);
            foreach (var name in new[] { first, "other" })
            {
                Assert.Equal(want > 0, request.BeginSeries(PairLabels.Encode(("__name__", name))));
                request.Add(1, 1);
            }

            Assert.Equal(want == 0, request.IsShut);
            var outcome = await request.WriteAsync(default);
            Assert.Equal((want, 2 - want, want == 0, 1), (outcome.Accepted, outcome.LeftOut, outcome.IsShut, gate.Asked));
        }

        // The next request is not the gate's business.
        Assert.Equal(1, (await Write(2, PairLabels.Encode(("__name__", "no")))).Accepted);
    }

    private async Task<WriteOutcome> Write(long timeMs, params byte[][] series)
    {
        using var request = writer.Begin<PairLabels>(default);
        foreach (var labels in series)
        {
            request.BeginSeries(labels);
            request.Add(timeMs, 1);
        }

        return await request.WriteAsync(default);
    }

    private sealed class CountingRewrite : ISeriesRewrite
    {
        public int Calls { get; private set; }

        public bool Rewrite(LabelsBuilder labels)
        {
            Calls++;
            labels.Remove("pod");
            if (labels.Get("name"u8) is { Length: > 0 } name)
            {
                labels.Set("__name__"u8, name.ToArray()).Remove("name");
            }

            if (labels.Get("__name__"u8).SequenceEqual("noname"u8))
            {
                labels.Remove("__name__").Set("x", "y");
            }

            return !labels.Get("__name__"u8).SequenceEqual("drop"u8);
        }
    }

    private sealed class FirstSeriesGate : ISeriesGate
    {
        public int Asked { get; private set; }

        public bool Admits<TFormat>(ReadOnlySpan<byte> rawLabels)
            where TFormat : struct, ILabelFormat
        {
            Asked++;
            return TFormat.TryNext(ref rawLabels, out _, out var value) && !value.SequenceEqual("no"u8);
        }
    }
}
