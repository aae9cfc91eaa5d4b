using System.Buffers.Binary;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster.Tests;

public sealed class ShardBlocksTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("blocks").FullName;
    private readonly ShardBlocks blocks;

    public ShardBlocksTests()
    {
        blocks = new ShardBlocks(folder, report => Assert.Fail(report));
        for (var block = 0; block < 3; block++)
        {
            Write(block, ("up", (block * 100) + 1, 1), ($"only{block}", (block * 100) + 99, block));
        }
    }

    [Fact]
    public void BlocksReadAsOneSeriesSetInTime()
    {
        var found = new List<ISeriesSet>();
        blocks.Select([new Matcher(Metrics.Model.MatchType.Equal, "__name__", "up")], new TimeRange(0, 250), found, default);
        using var merged = MergedSeriesSet.Of(found, default);
        Assert.Equal(1, merged.Count);
        using var samples = new SampleBuffer();
        merged.Read(0, samples);
        Assert.Equal([1, 101, 201], samples.Times.ToArray());
    }

    [Fact]
    public void LabelsComeFromTheBlocksThatTheRangeTouches()
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        blocks.AddLabelValues("__name__", [], new TimeRange(100, 299), names);
        Assert.Equal(["only1", "only2", "up"], names);
        names.Clear();
        blocks.AddLabelNames([], TimeRange.All, names);
        Assert.Equal(["__name__"], names);
    }

    [Theory]
    [InlineData(99, 0)]
    [InlineData(100, 1)]
    [InlineData(200, 2)]
    [InlineData(1000, 3)]
    public void RetentionDeletesBlocksThatAreOlderAsAWholeAndLetsReadersFinish(long olderThanMs, int want)
    {
        var found = new List<ISeriesSet>();
        blocks.Select([], TimeRange.All, found, default);
        Assert.Equal(want, blocks.DeleteOlderThan(olderThanMs));
        Assert.Equal(3 - want, blocks.Count);
        Assert.Equal(3 - want, Directory.GetDirectories(folder).Length);
        using var merged = MergedSeriesSet.Of(found, default);
        using var samples = new SampleBuffer();
        for (var i = 0; i < merged.Count; i++)
        {
            merged.Read(i, samples);
        }

        Assert.Equal(6, samples.Count);
    }

    public void Dispose()
    {
        blocks.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private void Write(int number, params (string Name, long Time, double Value)[] samples)
    {
        var ulid = new Ulid((UInt128)number);
        using (var writer = blocks.Set.Write(ulid, new BlockDescription { MinTimeMs = number * 100, MaxTimeMs = (number + 1) * 100 }))
        {
            Span<byte> chunk = stackalloc byte[32];
            foreach (var (name, time, value) in samples.OrderBy(s => s.Name, StringComparer.Ordinal))
            {
                // An XOR chunk of one sample: the count, the time, the bits of the value.
                BinaryPrimitives.WriteUInt16BigEndian(chunk, 1);
                var length = 2 + Varint.WriteSigned(chunk[2..], time);
                BinaryPrimitives.WriteDoubleBigEndian(chunk[length..], value);
                writer.BeginSeries(Labels.Of(("__name__", name)).Encoded);
                writer.AddChunk(ChunkEncoding.Xor, time, time, chunk[..(length + 8)]);
            }

            writer.Finish();
        }

        blocks.Set.Add(ulid);
    }
}
