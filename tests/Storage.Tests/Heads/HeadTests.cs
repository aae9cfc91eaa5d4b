using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests.Heads;

public sealed class HeadTests : IDisposable
{
    private const long Range = 1000;
    private readonly string directory = Directory.CreateTempSubdirectory("metrics-head-").FullName;
    private readonly Head head = new(new HeadOptions { ChunkSamples = 7, BlockRangeMs = Range });

    public void Dispose()
    {
        head.Dispose();
        Directory.Delete(directory, recursive: true);
    }

    public static TheoryData<long, double, AppendOutcome> AfterSamplesAt100And200 => new()
    {
        { 201, 9, AppendOutcome.Added },
        { 200, 2, AppendOutcome.AlreadyThere },
        { 200, 3, AppendOutcome.DuplicateTimestamp },
        { 100, 1, AppendOutcome.AlreadyThere },
        { 100, 7, AppendOutcome.OutOfOrder },
        { 150, 1, AppendOutcome.OutOfOrder },
        { 50, 1, AppendOutcome.OutOfOrder },
        { 200, double.NaN, AppendOutcome.DuplicateTimestamp },
    };

    [Theory]
    [MemberData(nameof(AfterSamplesAt100And200))]
    public void WithoutAWindowOnlyNewerSamplesAndRetriesAreTaken(long time, double value, AppendOutcome want)
    {
        var series = Series(head, "a");
        head.Append(series, 100, 1);
        head.Append(series, 200, 2);
        Assert.Equal(want, head.Append(series, time, value));
    }

    [Theory]
    [InlineData(150, 5, AppendOutcome.Added)]
    [InlineData(100, 1, AppendOutcome.AlreadyThere)]
    [InlineData(100, 2, AppendOutcome.DuplicateTimestamp)]
    [InlineData(50, 1, AppendOutcome.TooOld)]
    public void AWindowTakesLateSamples(long time, double value, AppendOutcome want)
    {
        using var open = new Head(new HeadOptions { BlockRangeMs = Range, OutOfOrderWindowMs = 120 });
        var series = Series(open, "a");
        open.Append(series, 100, 1);
        open.Append(series, 200, 2);
        Assert.Equal(want, open.Append(series, time, value));
        Assert.Equal(want == AppendOutcome.Added ? AppendOutcome.AlreadyThere : want, open.Append(series, time, value));
        Assert.Equal(want == AppendOutcome.Added ? [(100, 1.0), (150, 5), (200, 2)] : [(100, 1.0), (200, 2)], Read(open, "a"));
    }

    [Fact]
    public void StaleMarkersAndNaNsCompareByTheirBits()
    {
        var series = Series(head, "a");
        Assert.Equal(AppendOutcome.Added, head.Append(series, 100, StaleMarker.Value));
        Assert.Equal(AppendOutcome.AlreadyThere, head.Append(series, 100, StaleMarker.Value));
        Assert.Equal(AppendOutcome.DuplicateTimestamp, head.Append(series, 100, double.NaN));
    }

    [Fact]
    public void EqualHashesAreToldApartByTheirLabels()
    {
        var (a, b) = (Labels.Of(("__name__", "a")), Labels.Of(("__name__", "b")));
        var first = head.GetOrCreate(a.Encoded, 42, out _);
        var second = head.GetOrCreate(b.Encoded, 42, out var created);
        Assert.True(created);
        Assert.NotEqual(first, second);
        Assert.True(head.TryFind(b.Encoded, 42, out var found));
        Assert.Equal(second, found);
        Assert.Equal((a, b), (head.LabelsOf(first), head.LabelsOf(second)));
    }

    [Fact]
    public void ASelectionIsNotChangedByLaterAppends()
    {
        var series = Series(head, "a");
        for (var t = 1; t <= 10; t++)
        {
            head.Append(series, t, t);
        }

        using var view = head.OpenView()!;
        using var set = view.Select([new Matcher(MatchType.Equal, "__name__", "a")], TimeRange.All);
        for (var t = 11; t <= 100; t++)
        {
            head.Append(series, t, t);
        }

        uint cursor = 0;
        Assert.True(head.TruncateSlice(90, ref cursor, 1000));
        using var samples = new SampleBuffer();
        set.Read(0, samples);
        Assert.Equal(Enumerable.Range(1, 10).Select(t => (long)t), samples.Times.ToArray());
    }

    [Fact]
    public void ASelectionKeepsLateSamplesAndHistogramsThatACutDrops()
    {
        using var own = new Head(new HeadOptions { ChunkSamples = 7, BlockRangeMs = Range, OutOfOrderWindowMs = 5000 });
        var (floats, histograms) = (Series(own, "a"), Series(own, "b"));
        var inOrder = Enumerable.Range(1, 40).Select(i => (long)(i * 20)).ToList();
        var late = Enumerable.Range(0, 36).Select(i => (long)(i * 20) + 5).ToList();
        foreach (var time in inOrder.Concat(late))
        {
            Assert.Equal(AppendOutcome.Added, own.Append(floats, time, time));
            Assert.Equal(AppendOutcome.Added, own.Append(histograms, time, new FloatHistogram { Count = time, Sum = time, ZeroCount = time }));
        }

        using var view = own.OpenView()!;
        using var set = view.Select([new Matcher(MatchType.Regex, "__name__", "a|b")], TimeRange.All);
        own.BeginCut(Range);
        uint cursor = 0;
        Assert.True(own.TruncateSlice(Range, ref cursor, 1000));
        own.Append(floats, Range + 1, 1);
        own.Append(histograms, Range + 1, new FloatHistogram { Count = 1 });

        using var samples = new SampleBuffer();
        for (var i = 0; i < 2; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            Assert.Equal(inOrder.Concat(late).Order(), samples.Times.ToArray());
        }

        Assert.Equal([(Range + 1, 1)], Read(own, "a"));
    }

    [Fact]
    public void MatchersSelectWhatTheySayOfEveryLabelSet()
    {
        var random = new Random(3);
        var all = Enumerable.Range(0, 300).Select(i => Labels.Of(("__name__", $"m{i % 7}"), ("job", Pick("a", "b", "")), ("x", Pick("1", "2", "3", "")), ("id", $"{i}"))).Distinct().ToList();
        foreach (var labels in all)
        {
            head.Append(head.GetOrCreate(labels.Encoded, labels.Hash, out _), 1, 1);
        }

        for (var i = 0; i < 300; i++)
        {
            var matchers = Enumerable.Range(0, random.Next(1, 4)).Select(_ => new Matcher(
                (MatchType)random.Next(4), new[] { "__name__", "job", "x", "absent" }[random.Next(4)], Pick("a", "b", "", "1", "m1|m2", ".+", "m.*", ".*"))).ToList();
            using var set = head.OpenView()!.Select(matchers, TimeRange.All);
            Assert.Equal(all.Where(l => Matcher.AllMatch(matchers, l)).Order(), Enumerable.Range(0, set.Count).Select(set.LabelsOf).Order());
        }

        string Pick(params string[] values) => values[random.Next(values.Length)];
    }

    /// <summary>Random appends, truncations, rebuilds and cuts into blocks, against a dictionary.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void HeadAndBlocksTogetherHoldWhatWasTaken(int seed)
    {
        var random = new Random(seed);
        var model = new Dictionary<string, SortedDictionary<long, double>>(StringComparer.Ordinal);
        using var blocks = new BlockSet(directory, Assert.Fail);
        var live = new Head(head.Options);
        long now = 0;
        for (var round = 0; round < 3000; round++)
        {
            now += random.Next(8);
            var name = $"s{random.Next(20)}";
            var time = now - (random.Next(10) == 0 ? random.Next(50) : 0);
            var value = random.Next(5);
            if (live.Append(Series(live, name), time, value) == AppendOutcome.Added)
            {
                (model.TryGetValue(name, out var samples) ? samples : model[name] = []).Add(time, value);
            }

            if (random.Next(200) == 0 && live.MaxTimeMs - live.MinTimeMs > Range)
            {
                live = Cut(live, blocks, random);
            }
        }

        foreach (var (name, want) in model)
        {
            Assert.Equal(want.Select(s => (s.Key, s.Value)), ReadAll(live, blocks, name));
        }

        live.Dispose();
    }

    /// <summary>One writer appends, seals, drops and rebuilds while readers read: what they see is whole, ascending, and a function of time.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ReadersNeverSeeATornSample(bool spills)
    {
        const int SeriesCount = 20;
        using var spill = new ChunkSpill(Path.Combine(directory, "spill"), 4096);
        var current = new Head(new HeadOptions { ChunkSamples = 5, BlockRangeMs = Range }, spills ? spill : null);
        using var stop = new CancellationTokenSource();
        var reads = new long[3];
        var readers = Enumerable.Range(0, reads.Length).Select(reader => Task.Factory.StartNew(() =>
        {
            using var samples = new SampleBuffer();
            while (!stop.IsCancellationRequested)
            {
                if (Volatile.Read(ref current).OpenView() is not { } view)
                {
                    continue;
                }

                using var set = view.Select([new Matcher(MatchType.Regex, "__name__", "s.*")], TimeRange.All);
                for (var i = 0; i < set.Count; i++)
                {
                    samples.Clear();
                    set.Read(i, samples);
                    for (var s = 0; s < samples.Count; s++)
                    {
                        Assert.Equal(ValueAt(samples.Times[s]), samples.Values[s]);
                        Assert.True(s == 0 || samples.Times[s] > samples.Times[s - 1]);
                        Interlocked.Increment(ref reads[reader]);
                    }
                }
            }
        }, stop.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();

        for (var t = 1L; t < 20_000 || (reads.Min() < 100_000 && t < 5_000_000); t++)
        {
            for (var s = 0; s < SeriesCount; s++)
            {
                current.Append(Series(current, $"s{s}"), t, ValueAt(t));
            }

            if (t % 10 == 0 && current.CollectSpill() is { } batch)
            {
                batch.Write();
                current.ApplySpill(batch);
            }

            if (t % 100 == 0)
            {
                uint cursor = 0;
                while (!current.TruncateSlice(t - 50, ref cursor, 7))
                {
                }
            }

            if (t % 1000 == 0)
            {
                var old = current;
                Volatile.Write(ref current, old.Rebuilt());
                old.Dispose();
                spill.DeleteDead();
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Assert.All(reads, r => Assert.True(r > 0, "a reader got nothing"));
        current.Dispose();

        static double ValueAt(long t) => t % 3 == 0 ? 1 : t * 1.1;
    }

    [Fact]
    public void LabelNamesAndValuesComeSorted()
    {
        foreach (var job in new[] { "b", "a", "ä" })
        {
            var labels = Labels.Of(("__name__", "up"), ("job", job));
            head.Append(head.GetOrCreate(labels.Encoded, labels.Hash, out _), 1, 1);
        }

        using var view = head.OpenView()!;
        Assert.Equal(["__name__", "job"], view.LabelNames([], TimeRange.All));
        Assert.Equal(["a", "b", "ä"], view.LabelValues("job", [], TimeRange.All));
        Assert.Equal(["a", "b"], view.LabelValues("job", [new Matcher(MatchType.Regex, "job", "[a-z]")], TimeRange.All));
        Assert.Empty(view.LabelValues("absent", [], TimeRange.All));
    }

    [Fact]
    public void ARebuiltHeadForgetsSeriesThatEndedAndKeepsTheReferencesOfTheRest()
    {
        var (ended, live) = (Series(head, "ended"), Series(head, "live"));
        head.Append(ended, 10, 1);
        head.Append(live, 2000, 2);
        uint cursor = 0;
        Assert.True(head.TruncateSlice(1000, ref cursor, 100));
        Assert.Equal(1, head.IdleSeriesCount);
        using var rebuilt = head.Rebuilt();
        Assert.Equal((false, true), (rebuilt.IsKnown(ended), rebuilt.IsKnown(live)));
        Assert.Equal([(2000, 2.0)], Read(rebuilt, "live"));
        Assert.Equal(AppendOutcome.TooOld, rebuilt.Append(Series(rebuilt, "ended"), 500, 1));
        Assert.Equal(AppendOutcome.Added, rebuilt.Append(Series(rebuilt, "ended"), 1500, 1));
    }

    private static uint Series(Head head, string name)
    {
        var labels = Labels.Of(("__name__", name));
        return head.GetOrCreate(labels.Encoded, labels.Hash, out _);
    }

    private Head Cut(Head live, BlockSet blocks, Random random)
    {
        var end = (live.MinTimeMs / Range * Range) + Range;
        live.SetMinValid(end);
        using (var view = live.OpenView()!)
        {
            var ulid = Ulid.New(TimeProvider.System, random);
            using var writer = blocks.Write(ulid, new BlockDescription { MaxTimeMs = end });
            if (HeadCut.Write(view, new TimeRange(long.MinValue, end - 1), writer, CancellationToken.None) > 0)
            {
                writer.Finish();
                blocks.Add(ulid);
            }
        }

        uint cursor = 0;
        while (!live.TruncateSlice(end, ref cursor, 3))
        {
        }

        if (random.Next(2) == 0)
        {
            return live;
        }

        var rebuilt = live.Rebuilt();
        live.Dispose();
        return rebuilt;
    }

    private static List<(long Time, double Value)> ReadAll(Head live, BlockSet blocks, string name)
    {
        var matchers = new[] { new Matcher(MatchType.Equal, "__name__", name) };
        var all = Read(live, name);
        using var snapshot = blocks.Snapshot();
        foreach (var block in snapshot.Blocks)
        {
            using var set = block.Select(matchers, TimeRange.All);
            Collect(set, all);
        }

        return [.. all.OrderBy(s => s.Time)];
    }

    private static List<(long Time, double Value)> Read(Head head, string name)
    {
        var all = new List<(long, double)>();
        using var set = head.OpenView()!.Select([new Matcher(MatchType.Equal, "__name__", name)], TimeRange.All);
        Collect(set, all);
        return all;
    }

    private static void Collect(ISeriesSet set, List<(long, double)> into)
    {
        using var samples = new SampleBuffer();
        for (var i = 0; i < set.Count; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            for (var s = 0; s < samples.Count; s++)
            {
                into.Add((samples.Times[s], samples.Values[s]));
            }
        }
    }
}
