using Metrics.Model;
using Xunit;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Storage.Tests;

public class IndexTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void WhatWasWrittenIsRead(int seed)
    {
        using var scratch = new ScratchDirectory();
        var series = RandomSeries(new Random(seed));
        using var index = Write(scratch.Path, series);
        using var all = new PostingsBuffer();
        index.AddAll(all);
        var entry = new SeriesEntry();
        Assert.Equal(series.Count, all.Count);
        for (var i = 0; i < series.Count; i++)
        {
            index.ReadSeries(all.Items[i], entry);
            Assert.Equal(series[i].Labels, Labels.FromEncoded(entry.CanonicalLabels));
            Assert.Equal(series[i].Chunks, entry.Chunks.ToArray());
        }

        var names = series.SelectMany(s => s.Labels.AsEnumerable()).Select(l => l.Key).ToHashSet();
        Assert.Equal(names.Order(StringComparer.Ordinal), index.LabelNames.Select(System.Text.Encoding.UTF8.GetString));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void MatchersSelectWhatANaiveScanSelects(int seed)
    {
        using var scratch = new ScratchDirectory();
        var random = new Random(seed);
        var series = RandomSeries(random);
        using var index = Write(scratch.Path, series);
        for (var round = 0; round < 60; round++)
        {
            var matchers = RandomMatchers(random);
            using var found = new PostingsBuffer();
            PostingsSelection.Select(index, matchers, found);
            var entry = new SeriesEntry();
            var got = new List<Labels>();
            foreach (var reference in found.Items)
            {
                index.ReadSeries(reference, entry);
                got.Add(Labels.FromEncoded(entry.CanonicalLabels));
            }

            var want = series.Select(s => s.Labels).Where(l => Matcher.AllMatch(matchers, l));
            Assert.True(want.SequenceEqual(got), $"seed {seed}: {string.Join(",", matchers)}");
        }
    }

    [Fact]
    public void SeriesOutOfOrderAreRefused()
    {
        using var scratch = new ScratchDirectory();
        using var writer = new IndexWriter(Path.Combine(scratch.Path, "index"));
        writer.AddSeries(Labels.Of(("a", "2")).Encoded, []);
        Assert.Throws<ArgumentException>(() => writer.AddSeries(Labels.Of(("a", "1")).Encoded, []));
        Assert.Throws<ArgumentException>(() => writer.AddSeries(Labels.Of(("a", "2")).Encoded, []));
    }

    [Fact]
    public void OverlappingChunksAreRefused()
    {
        using var scratch = new ScratchDirectory();
        using var writer = new IndexWriter(Path.Combine(scratch.Path, "index"));
        Assert.Throws<ArgumentException>(() => writer.AddSeries(Labels.Of(("a", "2")).Encoded, [new ChunkMeta(8, 1, 5), new ChunkMeta(9, 5, 6)]));
    }

    [Fact]
    public void EveryTruncationIsReportedWithFileAndOffset()
    {
        using var scratch = new ScratchDirectory();
        Write(scratch.Path, RandomSeries(new Random(7))[..20]).Dispose();
        var path = Path.Combine(scratch.Path, "index");
        var bytes = File.ReadAllBytes(path);
        for (var length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(path, bytes[..length]);
            var error = Assert.Throws<InvalidDataException>(() => new IndexReader(new MappedFile(path)).Dispose());
            Assert.Contains(path + ": offset ", error.Message);
        }
    }

    [Fact]
    public void EveryFlippedByteIsReportedOrHarmless()
    {
        using var scratch = new ScratchDirectory();
        var series = RandomSeries(new Random(8))[..20];
        Write(scratch.Path, series).Dispose();
        var path = Path.Combine(scratch.Path, "index");
        var bytes = File.ReadAllBytes(path);
        var reported = 0;
        for (var at = 0; at < bytes.Length; at++)
        {
            var flipped = bytes.ToArray();
            flipped[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(path, flipped);
            try
            {
                // Padding and lists not asked for carry no checksum that this reading meets; whatever is read must be right.
                Assert.Equal(series.Select(s => s.Labels), ReadAll(path));
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(path + ": offset ", e.Message);
                reported++;
            }
        }

        Assert.True(reported > bytes.Length / 2, $"{reported} of {bytes.Length} flips were noticed");
    }

    private static List<Labels> ReadAll(string path)
    {
        using var index = new IndexReader(new MappedFile(path));
        using var all = new PostingsBuffer();
        index.AddAll(all);
        var read = new List<Labels>();
        var entry = new SeriesEntry();
        foreach (var reference in all.Items)
        {
            index.ReadSeries(reference, entry);
            read.Add(Labels.FromEncoded(entry.CanonicalLabels));
        }

        return read;
    }

    private static IndexReader Write(string directory, List<(Labels Labels, ChunkMeta[] Chunks)> series)
    {
        var path = Path.Combine(directory, "index");
        using (var writer = new IndexWriter(path))
        {
            foreach (var (labels, chunks) in series)
            {
                writer.AddSeries(labels.Encoded, chunks);
            }

            writer.Finish();
        }

        return new IndexReader(new MappedFile(path));
    }

    private static List<(Labels Labels, ChunkMeta[] Chunks)> RandomSeries(Random random)
    {
        var sets = new SortedSet<Labels>();
        var count = random.Next(30, 400);
        while (sets.Count < count)
        {
            // "c" is often absent, "many" has more values than the sampling of the postings table, UTF-8 sorts by bytes.
            sets.Add(Labels.Of(
                ("__name__", "m" + random.Next(4)), ("many", "v" + random.Next(300)), ("c", random.Next(3) == 0 ? "x" + random.Next(3) : ""),
                ("ü" + random.Next(2), "\U0001F600" + random.Next(2))));
        }

        ulong reference = 8;
        return [.. sets.Select(labels =>
        {
            var time = random.NextInt64(-1_000_000, 1_000_000);
            var chunks = new ChunkMeta[random.Next(0, 5)];
            for (var i = 0; i < chunks.Length; i++)
            {
                var end = time + random.Next(0, 10_000);
                chunks[i] = new ChunkMeta(reference, time, end);
                reference += (ulong)random.Next(1, 1000);
                time = end + random.Next(1, 10_000);
            }

            return (labels, chunks);
        })];
    }

    private static Matcher[] RandomMatchers(Random random)
    {
        string[] names = ["__name__", "many", "c", "ü0", "absent"];
        string[] values = ["", "m1", "v7", "v299", "x1", "nope", "\U0001F6000"];
        string[] patterns = ["", ".*", ".+", "m1|m2", "v.*", "v1.?", "x[01]|", "x1|nope", "\U0001F600."];
        return [.. Enumerable.Range(0, random.Next(0, 4)).Select(_ =>
        {
            var type = (MatchType)random.Next(4);
            var from = type is MatchType.Equal or MatchType.NotEqual ? values : patterns;
            return new Matcher(type, names[random.Next(names.Length)], from[random.Next(from.Length)]);
        })];
    }
}
