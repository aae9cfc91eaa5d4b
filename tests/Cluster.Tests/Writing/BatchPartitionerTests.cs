using Metrics.Model;
using Metrics.Testing;

namespace Metrics.Cluster.Tests;

public sealed class BatchPartitionerTests
{
    private readonly FakeTenant tenant = new(4);
    private readonly FakeTime time = new(1_000_000);
    private readonly TenantWriter writer;

    public BatchPartitionerTests() => writer = new TenantWriter(tenant, new LabelLimits { MaxLabels = 4, MaxNameBytes = 16, MaxValueBytes = 32 }, time: time);

    [Fact]
    public async Task SeriesTravelWithLabelsOnceAndAsReferencesAfterwards()
    {
        for (var round = 1; round <= 3; round++)
        {
            var outcome = await Write([.. Enumerable.Range(0, 100).Select(i => (PairLabels.Encode(("__name__", "m"), ("i", $"{i}")), (long)round, (double)i))]);
            Assert.Equal(new WriteOutcome(100, 0, 0, [], null), outcome with { Rejections = [] });
            Assert.Empty(outcome.Rejections);
            Assert.Equal(100, tenant.LabelSetsCarried);
        }

        var want = Enumerable.Range(0, 100).SelectMany(i => Enumerable.Range(1, 3).Select(t => ($"m{{i=\"{i}\"}}", (long)t, (double)i)));
        Assert.Equal(want.OrderBy(w => w.Item1, StringComparer.Ordinal).ThenBy(w => w.Item2), tenant.Samples);
        Assert.All(tenant.Fakes, f => Assert.NotEmpty(f.Samples));
    }

    [Fact]
    public async Task SeriesThatAreNoLongerWrittenAreForgottenAndComeBackWithTheirLabels()
    {
        var first = writer.CacheBytes;
        (byte[] Labels, long Time, double Value)[] Pods(int generation, long at) => [.. Enumerable.Range(0, 1000).Select(i => (PairLabels.Encode(("__name__", "m"), ("pod", $"{generation}-{i}")), at, (double)i))];
        for (var generation = 0; generation < 20; generation++)
        {
            await Write(Pods(generation, generation));
            time.Advance(TimeSpan.FromMinutes(30));
        }

        // A few may be lost to others that want the same slots.
        Assert.InRange(writer.CacheBytes, first, 10 * 1000 * 32);
        Assert.Equal(20_000, tenant.LabelSetsCarried);
        await Write(Pods(19, 100));
        Assert.InRange(tenant.LabelSetsCarried, 20_000, 20_010);
        await Write(Pods(0, 101));
        Assert.InRange(tenant.LabelSetsCarried, 20_500, 21_010);
        Assert.Equal(22_000, tenant.Samples.Count());
    }

    [Fact]
    public async Task AShardThatRestartedGetsLabelsAgainAndNothingIsMixedUp()
    {
        var series = Enumerable.Range(0, 50).Select(i => PairLabels.Encode(("__name__", "m"), ("i", $"{i}"))).ToArray();
        await Write([.. series.Select((s, i) => (s, 1L, (double)i))]);
        tenant.Fakes[1].Restart();
        await Write([.. series.Select((s, i) => (s, 2L, (double)i))]);
        await Write([.. series.Select((s, i) => (s, 3L, (double)i))]);
        Assert.Equal(150, tenant.Samples.Count());
        Assert.All(tenant.Samples, s => Assert.Equal($"m{{i=\"{s.Value}\"}}", s.Labels));
        var ofRestarted = tenant.Fakes[1].Samples.Count / 3;
        Assert.Equal(50 + ofRestarted, tenant.LabelSetsCarried);
    }

    [Fact]
    public async Task LabelsOutsideTheBodySurviveAStaleAnswer()
    {
        for (var t = 1; t <= 2; t++)
        {
            using var request = writer.Begin<PairLabels>(new byte[8]);
            request.BeginSeries(PairLabels.Encode(("__name__", "a")));
            request.Add(t, 1);
            request.BeginSeries(PairLabels.Encode(("__name__", "b")));
            request.Add(t, 2);
            Assert.Equal(2, (await request.WriteAsync(default)).Accepted);
            Array.ForEach(tenant.Fakes, f => f.Restart());
        }

        Assert.Equal([("a", 1L, 1.0), ("a", 2L, 1.0), ("b", 1L, 2.0), ("b", 2L, 2.0)], tenant.Samples);
    }

    [Fact]
    public async Task ExemplarsTravelWithoutSamplesAndAgainToAShardThatRestarted()
    {
        string[] names = [.. Enumerable.Range(0, 20).Select(i => $"m{i}")];
        for (var t = 1; t <= 3; t++)
        {
            using var request = writer.Begin<PairLabels>(new byte[8]);
            foreach (var name in names)
            {
                request.BeginSeries(PairLabels.Encode(("__name__", name)));
                request.AddExemplar(t, 1, Labels.Of(("trace_id", "x")));
            }

            var outcome = await request.WriteAsync(default);
            Assert.Equal((0, 20), (outcome.Accepted, outcome.AcceptedExemplars));
            tenant.Fakes[t].Restart();
        }

        Assert.Equal(names.Order(StringComparer.Ordinal).SelectMany(n => Enumerable.Range(1, 3).Select(t => (n, (long)t))), tenant.Fakes.SelectMany(f => f.Exemplars).OrderBy(e => e.Labels, StringComparer.Ordinal).ThenBy(e => e.Time));
    }

    public static TheoryData<RejectReason, string[]> Refused => new()
    {
        { RejectReason.MissingMetricName, ["a", "b"] },
        { RejectReason.MissingMetricName, [] },
        { RejectReason.MissingMetricName, ["__name__", ""] },
        { RejectReason.DuplicateLabelName, ["__name__", "m", "a", "1", "a", "2"] },
        { RejectReason.DuplicateLabelName, ["a", "1", "__name__", "m", "a", "1"] },
        { RejectReason.EmptyLabelName, ["__name__", "m", "", "x"] },
        { RejectReason.LabelNameTooLong, ["__name__", "m", "n2345678901234567", "x"] },
        { RejectReason.LabelValueTooLong, ["__name__", "m", "a", "v23456789012345678901234567890123"] },
        { RejectReason.TooManyLabels, ["__name__", "m", "a", "1", "b", "2", "c", "3", "d", "4"] },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task ARefusedSeriesIsCountedWithItsReasonAndItsNeighboursAreTaken(RejectReason reason, string[] labels)
    {
        var bad = PairLabels.Encode([.. labels.Chunk(2).Select(p => (p[0], p[1]))]);
        var good = PairLabels.Encode(("__name__", "good"));
        var outcome = await Write((good, 1, 1), (bad, 1, 1), (bad, 2, 1), (good, 2, 2));
        Assert.Equal(2, outcome.Accepted);
        var rejection = Assert.Single(outcome.Rejections);
        Assert.Equal((reason, 2), (rejection.Reason, rejection.Count));
        Assert.Contains("series", rejection.Example);
        Assert.Equal([("good", 1L, 1.0), ("good", 2L, 2.0)], tenant.Samples);
    }

    [Fact]
    public async Task BytesThatAreNoUtf8AreRefused()
    {
        var name = PairLabels.EncodeBytes(("__name__"u8.ToArray(), "m"u8.ToArray()), ([0xff], [1]));
        var value = PairLabels.EncodeBytes(("__name__"u8.ToArray(), [0xc3]));
        var outcome = await Write((name, 1, 1), (value, 1, 1));
        Assert.Equal((RejectReason.InvalidUtf8, 2), (outcome.Rejections[0].Reason, outcome.Rejections[0].Count));
    }

    [Fact]
    public async Task UnsortedLabelsAndEmptyValuesComeToTheSameSeries()
    {
        await Write(
            (PairLabels.Encode(("__name__", "m"), ("a", "1"), ("b", "2")), 1, 1),
            (PairLabels.Encode(("b", "2"), ("__name__", "m"), ("a", "1")), 2, 1),
            (PairLabels.Encode(("b", "2"), ("c", ""), ("__name__", "m"), ("a", "1")), 3, 1),
            (PairLabels.Encode(("__name__", "m"), ("a", "1"), ("b", "2"), ("z", "")), 4, 1));
        Assert.Equal(["m{a=\"1\", b=\"2\"}"], tenant.Samples.Select(s => s.Labels).Distinct());
        Assert.Equal(4, tenant.Samples.Count());
    }

    [Fact]
    public async Task AShardThatIsDownMakesTheOutcomeUnavailableAndARetryCompletesIt()
    {
        var series = Enumerable.Range(0, 50).Select(i => (PairLabels.Encode(("__name__", "m"), ("i", $"{i}")), 1L, (double)i)).ToArray();
        tenant.Fakes[2].IsDown = true;
        var outcome = await Write(series);
        Assert.Equal(tenant.Fakes[2].Id, outcome.Unavailable!.Shard);
        Assert.Equal(tenant.Samples.Count(), outcome.Accepted);
        tenant.Fakes[2].IsDown = false;
        Assert.Null((await Write(series)).Unavailable);
        Assert.Equal(50, tenant.Samples.Distinct().Count());
    }

    [Fact]
    public async Task RequestsShareOneCache()
    {
        var series = Enumerable.Range(0, 300).Select(i => PairLabels.Encode(("__name__", "m"), ("i", $"{i}"))).ToArray();
        var body = series.SelectMany(s => s).ToArray();
        for (var t = 0L; t < 20; t++)
        {
            using var request = writer.Begin<PairLabels>(body);
            var at = 0;
            for (var i = 0; i < series.Length; i++)
            {
                request.BeginSeries(body.AsSpan(at, series[i].Length));
                at += series[i].Length;
                request.Add(t, i);
            }

            Assert.Equal(300, (await request.WriteAsync(default)).Accepted);
        }

        // Fingerprints are keyed anew in each process: now and then a few fall so close together that they push each other out.
        Assert.InRange(tenant.LabelSetsCarried, 300, 400);
        Assert.All(tenant.Samples, s => Assert.Equal($"m{{i=\"{s.Value}\"}}", s.Labels));
    }

    private async Task<WriteOutcome> Write(params (byte[] Labels, long Time, double Value)[] samples)
    {
        var body = samples.SelectMany(s => s.Labels).ToArray();
        using var request = writer.Begin<PairLabels>(body);
        var at = 0;
        foreach (var (labels, time, value) in samples)
        {
            request.BeginSeries(body.AsSpan(at, labels.Length));
            at += labels.Length;
            request.Add(time, value);
        }

        return await request.WriteAsync(default);
    }
}
