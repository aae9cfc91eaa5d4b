using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests.Heads;

/// <summary>A head that moves its chunks to disk, and starts again from snapshots, against one that keeps everything in memory and lives on.</summary>
public sealed class HeadSnapshotTests : IDisposable
{
    private const long Range = 1000;
    private const string Log = "the log";
    private readonly string folder = Directory.CreateTempSubdirectory("metrics-snapshot-").FullName;
    private readonly List<string> reports = [];
    private readonly ExemplarRing exemplars = new(100);

    private string SnapshotPath => Path.Combine(folder, HeadSnapshot.FileName);

    private static HeadOptions Options => new() { ChunkSamples = 6, BlockRangeMs = Range, OutOfOrderWindowMs = 300 };

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void NobodyCanTellTheTwoApart(int seed)
    {
        var random = new Random(seed);
        var plain = new Head(Options);
        var spill = new ChunkSpill(folder, 4096);
        var head = new Head(Options, spill);
        long now = 1000;
        var lives = 0;
        for (var round = 0; round < 4000; round++)
        {
            now += random.Next(4);
            var number = random.Next(25);
            var labels = Labels.Of(("__name__", $"s{number}"), ("other", $"{number % 4}"));
            var time = now - (random.Next(8) == 0 ? random.Next(400) : 0);
            var outcome = Append(plain, labels, time, number);
            Assert.Equal(outcome, Append(head, labels, time, number));
            switch (random.Next(120))
            {
                case 0:
                    Spill(head);
                    break;
                case 1:
                    TakeSnapshot(head, spill, random);
                    head.Dispose();
                    spill.Dispose();
                    (head, spill) = Reload();
                    lives++;
                    break;
                case 2 when plain.MaxTimeMs > 2 * Range:
                    Drop(plain, now - Range);
                    Drop(head, now - Range);
                    break;
                case 3:
                    (plain, head) = (Rebuilt(plain), Rebuilt(head));
                    break;
            }

            if (round % 400 == 0)
            {
                AssertEqual(plain, head);
            }
        }

        AssertEqual(plain, head);
        Assert.True(lives > 5);
        Assert.Empty(reports);
        plain.Dispose();
        head.Dispose();
        spill.Dispose();
    }

    [Fact]
    public void EverySealedChunkLeavesMemory()
    {
        using var spill = new ChunkSpill(folder, 4096);
        using var head = new Head(Options, spill);
        Fill(head);
        Assert.True(head.UnspilledBytes > 0);
        Spill(head);
        Assert.Equal(0, head.UnspilledBytes);
        Assert.True(spill.Bytes > 0);

        // What is in blocks goes, and its files with it.
        var before = Directory.GetFiles(folder).Length;
        Drop(head, long.MaxValue / 2);
        spill.DeleteDead();
        Assert.True(before > 3);
        Assert.Single(Directory.GetFiles(folder));
    }

    [Fact]
    public void ASnapshotIsTakenWhileSamplesComeAndTheRestOfTheLogChangesNothing()
    {
        using var plain = new Head(Options);
        var spill = new ChunkSpill(folder, 4096);
        var head = new Head(Options, spill);
        Fill(plain);
        Fill(head);
        var later = new List<(string Name, long Time)>();
        using (var writer = new HeadSnapshotWriter(head, SnapshotPath, Log, 7))
        {
            for (long t = 2000; writer.Collect(1); t += 40)
            {
                writer.Write();
                foreach (var name in (string[])["s0", "s1", "s24", "new"])
                {
                    later.Add((name, t));
                    Append(head, Labels.Of(("__name__", name)), t, 1);
                }
            }

            writer.Write();
            writer.Finish(exemplars);
        }

        head.Dispose();
        spill.Dispose();
        (head, spill) = Reload();
        foreach (var (name, time) in later)
        {
            Append(head, Labels.Of(("__name__", name)), time, 1);
            Append(plain, Labels.Of(("__name__", name)), time, 1);
        }

        AssertEqual(plain, head);
        Assert.Equal(plain.MaxTimeMs, head.MaxTimeMs);
        head.Dispose();
        spill.Dispose();
    }

    [Fact]
    public void ASnapshotOfAnotherLogIsNotUsed()
    {
        SnapshotOfAFullHead();
        Assert.Null(HeadSnapshot.Load(SnapshotPath, "another", () => new Head(Options, new ChunkSpill(folder)), exemplars, reports.Add));
        Assert.Contains("it is of log the log, and the log here is another", Assert.Single(reports), StringComparison.Ordinal);
    }

    [Fact]
    public void ExemplarsComeBack()
    {
        var kept = new Exemplar(3, 100, 1.5, Labels.Of(("trace", "x")));
        exemplars.Add(kept, out _);
        SnapshotOfAFullHead();
        var ring = new ExemplarRing(10);
        using var spill = new ChunkSpill(folder, 4096);
        HeadSnapshot.Load(SnapshotPath, Log, () => new Head(Options, spill), ring, Assert.Fail)!.Value.Head.Dispose();
        Assert.Equal(kept, Assert.Single(ring.Read(TimeRange.All)));
    }

    /// <summary>Whatever happens to a byte of the snapshot or of the chunks that it names: it is not used, and the reason says where, or nothing has changed.</summary>
    [Fact]
    public void DamageIsNoticedWhereverItIs()
    {
        SnapshotOfAFullHead();
        var (whole, wholeSpill) = Reload();
        var random = new Random(1);
        var files = Directory.GetFiles(folder).Order(StringComparer.Ordinal).ToList();
        Assert.True(files.Count > 3);
        foreach (var file in files)
        {
            var good = File.ReadAllBytes(file);
            foreach (var at in Enumerable.Range(0, good.Length).OrderBy(_ => random.Next()).Take(400))
            {
                var bad = good.ToArray();
                bad[at] ^= (byte)(1 << random.Next(8));
                Check(bad, $"{file}: byte {at} flipped");
            }

            foreach (var length in Enumerable.Range(0, 20).Select(_ => random.Next(good.Length)))
            {
                Check(good[..length], $"{file}: cut at {length}");
            }

            File.WriteAllBytes(file, good);

            void Check(byte[] bytes, string what)
            {
                File.WriteAllBytes(file, bytes);
                using var spill = new ChunkSpill(folder, 4096);
                reports.Clear();
                if (HeadSnapshot.Load(SnapshotPath, Log, () => new Head(Options, spill), new ExemplarRing(1), reports.Add) is var (head, _))
                {
                    // A byte that no chunk in use covers.
                    Assert.False(file == SnapshotPath, what);
                    AssertEqual(whole, head);
                    head.Dispose();
                    return;
                }

                Assert.StartsWith(SnapshotPath, Assert.Single(reports), StringComparison.Ordinal);
            }
        }

        whole.Dispose();
        wholeSpill.Dispose();
    }

    [Fact]
    public void DamageOfAStoredChunkThatComesLaterFailsTheQueryThatMeetsIt()
    {
        using var spill = new ChunkSpill(folder, 1024 * 1024);
        using var head = new Head(Options, spill);
        Fill(head);
        Spill(head);
        var file = Directory.GetFiles(folder).Single();
        using (var handle = File.OpenHandle(file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            RandomAccess.Write(handle, new byte[1024], 0);
        }

        Assert.Contains("the checksum of a sealed chunk does not match", Assert.Throws<InvalidDataException>(() => Content(head)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFullDiskKeepsChunksInMemory()
    {
        // A folder that can't be made stands for a disk that takes nothing.
        var blocked = Path.Combine(folder, "file");
        File.WriteAllText(blocked, "");
        using var plain = new Head(Options);
        using var spill = new ChunkSpill(Path.Combine(blocked, "spill"), 4096);
        using var head = new Head(Options, spill);
        Fill(plain);
        Fill(head);
        Assert.ThrowsAny<IOException>(() => Spill(head));
        Assert.True(head.UnspilledBytes > 0);
        AssertEqual(plain, head);
    }

    private static AppendOutcome Append(Head head, Labels labels, long time, int number)
    {
        var series = head.GetOrCreate(labels.Encoded, labels.Hash, out _);

        // One series in five has histograms, one both kinds.
        return number % 5 == 0 && (number > 0 || time % 3 == 0)
            ? head.Append(series, time, HistogramOf(time))
            : head.Append(series, time, time % 9 == 0 ? StaleMarker.Value : time * 1.25);
    }

    private static FloatHistogram HistogramOf(long time) => new()
    {
        Count = time % 50,
        Sum = time,
        PositiveSpans = [new HistogramSpan(0, 1 + (uint)(time % 3))],
        PositiveBuckets = [.. Enumerable.Repeat((double)(time % 50), 1 + (int)(time % 3))],
    };

    private static void Fill(Head head)
    {
        for (long t = 100; t < 1900; t += 10)
        {
            for (var s = 0; s < 25; s++)
            {
                Append(head, Labels.Of(("__name__", $"s{s}")), t - (t % 70 == 0 ? 25 : 0), s);
            }
        }
    }

    private static void Spill(Head head)
    {
        while (head.CollectSpill() is { } batch)
        {
            batch.Write();
            head.ApplySpill(batch);
        }
    }

    private static void Drop(Head head, long bound)
    {
        head.BeginCut(bound);
        uint cursor = 0;
        while (!head.TruncateSlice(bound, ref cursor, 3))
        {
        }
    }

    private static Head Rebuilt(Head head)
    {
        var rebuilt = head.Rebuilt();
        head.Dispose();
        return rebuilt;
    }

    private void SnapshotOfAFullHead()
    {
        using var spill = new ChunkSpill(folder, 4096);
        using var head = new Head(Options, spill);
        Fill(head);
        Spill(head);
        TakeSnapshot(head, spill, new Random(1));
    }

    private void TakeSnapshot(Head head, ChunkSpill spill, Random random)
    {
        if (random.Next(3) > 0)
        {
            Spill(head);
        }

        using var writer = new HeadSnapshotWriter(head, SnapshotPath, Log, 7);
        bool more;
        do
        {
            more = writer.Collect(1 + random.Next(9));
            writer.Write();
        }
        while (more);
        writer.Finish(exemplars);
        spill.DeleteDead();
    }

    private (Head Head, ChunkSpill Spill) Reload()
    {
        var spill = new ChunkSpill(folder, 4096);
        var (head, next) = HeadSnapshot.Load(SnapshotPath, Log, () => new Head(Options, spill), exemplars, Assert.Fail)!.Value;
        spill.DeleteUnused();
        Assert.Equal(7, next);
        return (head, spill);
    }

    private static void AssertEqual(Head want, Head have)
    {
        Assert.Equal(Content(want), Content(have));
        Assert.Equal((want.SeriesCount, want.ChunkCount, want.MaxTimeMs, want.MinValidMs), (have.SeriesCount, have.ChunkCount, have.MaxTimeMs, have.MinValidMs));
        using var left = want.OpenView()!;
        using var right = have.OpenView()!;
        Assert.Equal(left.LabelNames([], TimeRange.All), right.LabelNames([], TimeRange.All));
        Assert.Equal(left.LabelValues("other", [], TimeRange.All), right.LabelValues("other", [], TimeRange.All));
    }

    private static List<string> Content(Head head)
    {
        var content = new List<string>();
        using var samples = new SampleBuffer();
        using var set = head.OpenView()!.Select([new Matcher(MatchType.NotEqual, "__name__", "")], TimeRange.All);
        for (var i = 0; i < set.Count; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            content.Add($"{set.LabelsOf(i)}: {string.Join(' ', Enumerable.Range(0, samples.Count).Select(s => $"{samples.Times[s]}={(samples.HasHistograms && samples.Histograms[s] is { } h ? h.ToString() : BitConverter.DoubleToInt64Bits(samples.Values[s]))}"))}");
        }

        content.Sort(StringComparer.Ordinal);
        return content;
    }
}
