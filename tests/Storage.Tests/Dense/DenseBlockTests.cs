using Metrics.Model;
using Metrics.ObjectStore;
using Xunit;

namespace Metrics.Storage.Tests.Dense;

/// <summary>Blocks with dense chunks answer as those with XOR chunks, wherever they lie and however they came about.</summary>
public sealed class DenseBlockTests : IDisposable
{
    private const long FromMs = 1_699_920_000_000;
    private readonly ScratchDirectory scratch = new();
    private int folders;

    public void Dispose() => scratch.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(300)]
    [InlineData(3000)]
    public void AnyRangeAnswersAsOfTheXorBlock(int samples)
    {
        using var xor = Open(60, samples, ChunkEncoding.Xor);
        using var dense = Open(60, samples, ChunkEncoding.Dense);
        Assert.Empty(BlockVerifier.Verify(dense.DirectoryPath));
        Assert.Equal(DenseBlocks.Drain(xor, TimeRange.All), DenseBlocks.Drain(dense, TimeRange.All));
        var random = new Random(samples);
        for (var round = 0; round < 40; round++)
        {
            var from = FromMs + random.NextInt64(-1000, samples * 15_000L);
            var range = new TimeRange(from, from + random.NextInt64(random.Next(2) == 0 ? 60_000 : samples * 15_000L));
            Assert.Equal(DenseBlocks.Drain(xor, range), DenseBlocks.Drain(dense, range));
        }

        Assert.Equal(xor.Meta.Stats with { NumChunks = 0 }, dense.Meta.Stats with { NumChunks = 0 });
        Assert.Null(xor.Meta.Metrics?.ChunkEncodings);
        Assert.Equal(["dense"], dense.Meta.Metrics!.ChunkEncodings!);
    }

    [Fact]
    public void SeriesScrapedTogetherShareTheirTimesWhereverTheyBeginAndEnd()
    {
        using var dense = Open(200, 960, ChunkEncoding.Dense);
        var fills = BlockAnalysis.Of(dense, [], 0).Chunks;
        var columns = Assert.Single(fills, f => f.Encoding == ChunkEncoding.TimeColumn);
        var chunks = Assert.Single(fills, f => f.Encoding == ChunkEncoding.Dense);

        // Five targets, in two windows of four hours at most.
        Assert.InRange(columns.Chunks, 5, 10);
        Assert.Equal(0, columns.Samples);
        Assert.InRange(chunks.Chunks, 200, 400);
        using var xor = Open(200, 960, ChunkEncoding.Xor);
        Assert.True(dense.Length - dense.Index.Length < (xor.Length - xor.Index.Length) / 3, $"{dense.Length - dense.Index.Length} bytes of {xor.Length - xor.Index.Length} by XOR");
    }

    [Theory]
    [InlineData(100)]
    [InlineData(2000)]
    [InlineData(6000)]
    public void EverySegmentHasTheColumnsOfItsChunks(int segmentBytes)
    {
        using var xor = Open(60, 300, ChunkEncoding.Xor);
        using var dense = Open(60, 300, ChunkEncoding.Dense, segmentBytes: segmentBytes);
        Assert.True(Directory.GetFiles(Path.Combine(dense.DirectoryPath, "chunks")).Length > 1);
        Assert.Equal(DenseBlocks.Drain(xor, TimeRange.All), DenseBlocks.Drain(dense, TimeRange.All));
        Assert.Empty(BlockVerifier.Verify(dense.DirectoryPath));
    }

    [Fact]
    public void BlocksAreConvertedEitherWay()
    {
        using var xor = Open(60, 700, ChunkEncoding.Xor);
        using var dense = Convert(xor, ChunkEncoding.Dense);
        using var again = Convert(dense, ChunkEncoding.Xor);
        using var copy = Convert(dense, ChunkEncoding.Dense);
        foreach (var converted in (BlockReader[])[dense, again, copy])
        {
            Assert.Empty(BlockVerifier.Verify(converted.DirectoryPath));
            Assert.Equal(DenseBlocks.Drain(xor, TimeRange.All), DenseBlocks.Drain(converted, TimeRange.All));
            Assert.Equal((xor.Meta.Ulid, xor.Meta.MinTime, xor.Meta.MaxTime), (converted.Meta.Ulid, converted.Meta.MinTime, converted.Meta.MaxTime));
        }

        Assert.Null(again.Meta.Metrics?.ChunkEncodings);
        Assert.Equal(Chunks(xor), Chunks(again));
        Assert.Equal(Chunks(dense), Chunks(copy));
        Assert.All(BlockAnalysis.Of(again, [], 0).Chunks, f => Assert.Equal(ChunkEncoding.Xor, f.Encoding));
        Assert.Throws<IOException>(() => BlockConversion.Write(xor, ChunkEncoding.Dense, Path.GetDirectoryName(dense.DirectoryPath)!));
    }

    [Fact]
    public void AnExtractIsPlain()
    {
        using var dense = Open(30, 500, ChunkEncoding.Dense);
        var folder = Folder();
        var range = new TimeRange(FromMs + 1_000_000, FromMs + 5_000_000);
        using var extract = BlockReader.Open(Path.Combine(folder, BlockExtract.Write(dense, [], range, folder)!.Ulid.ToString()));
        Assert.Equal(DenseBlocks.Drain(dense, range), DenseBlocks.Drain(extract, TimeRange.All));
        Assert.All(BlockAnalysis.Of(extract, [], 0).Chunks, f => Assert.Equal(ChunkEncoding.Xor, f.Encoding));
    }

    [Fact]
    public void AMergeKeepsWholeChunksAndMovesTheirColumns()
    {
        var day = 24 * 3_600_000L;
        using var first = Open(40, 960, ChunkEncoding.Dense, seed: 1);
        using var second = Open(40, 960, ChunkEncoding.Dense, FromMs + day, seed: 2);
        using var late = Open(40, 30, ChunkEncoding.Dense, FromMs + (3 * day), seed: 3);
        using var merged = Merge([late, first, second], ChunkEncoding.Dense);
        Assert.Empty(BlockVerifier.Verify(merged.DirectoryPath));
        Assert.Equal(Samples(first) + Samples(second) + Samples(late), Samples(merged));
        foreach (var source in (BlockReader[])[first, second, late])
        {
            Assert.Equal(DenseBlocks.Drain(source, TimeRange.All), DenseBlocks.Drain(merged, source.Range));
        }

        // Values are the very bytes, columns are there once.
        var columns = ColumnCount(first) + ColumnCount(second) + ColumnCount(late);
        Assert.Equal(columns, ColumnCount(merged));
        var mergedFill = BlockAnalysis.Of(merged, [], 0).Chunks.Single(f => f.Encoding == ChunkEncoding.Dense);
        Assert.Equal(960, mergedFill.MaxSamples);
        using var plain = Merge([first, second, late], ChunkEncoding.Xor);
        Assert.Equal(DenseBlocks.Drain(plain, TimeRange.All), DenseBlocks.Drain(merged, TimeRange.All));
    }

    [Fact]
    public void SmallChunksBecomeOne()
    {
        var hour = 3_600_000L;
        List<BlockReader> hours = [.. Enumerable.Range(0, 4).Select(i => Open(10, 100, ChunkEncoding.Dense, FromMs + (i * hour), seed: i + 1))];
        using var merged = Merge(hours, ChunkEncoding.Dense);
        var fill = BlockAnalysis.Of(merged, [], 0).Chunks.Single(f => f.Encoding == ChunkEncoding.Dense);
        Assert.True(fill.Chunks <= 20, $"{fill.Chunks} chunks of 10 series");
        hours.ForEach(b => b.Dispose());
    }

    [Fact]
    public void AggregatesAreTheSameOfEitherEncoding()
    {
        using var xor = Open(30, 2000, ChunkEncoding.Xor);
        using var dense = Open(30, 2000, ChunkEncoding.Dense);
        using var ofXor = Reduce(xor);
        using var ofDense = Reduce(dense);
        Assert.Equal(Chunks(ofXor), Chunks(ofDense));
    }

    [Fact]
    public async Task ABlockInAStoreAnswersAsTheLocalOneForFewRequests()
    {
        using var local = Open(400, 960, ChunkEncoding.Dense);
        var store = new MemoryObjectStore(TimeProvider.System);
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(local.DirectoryPath, "*", SearchOption.AllDirectories))
        {
            var name = Path.GetRelativePath(local.DirectoryPath, path);
            sizes[name] = new FileInfo(path).Length;
            await store.UploadAsync("t/" + name, path, default);
        }

        using var cache = new BlockCache(store, new BlockCacheOptions { Folder = Path.Combine(scratch.Path, "cache") }, TimeProvider.System);
        using var remote = cache.Open("t/", local.Meta, sizes);
        var before = cache.Requests;
        Matcher[] one = [new(Metrics.Model.MatchType.Equal, "i", "0399")];
        Assert.Equal(TestBlocks.Drain(local.Select(one, TimeRange.All)), TestBlocks.Drain(remote.Select(one, TimeRange.All)));

        // Postings, series, its chunks, and their columns.
        Assert.InRange(cache.Requests - before, 1, 5);
        Assert.Equal(DenseBlocks.Drain(local, TimeRange.All), DenseBlocks.Drain(remote, TimeRange.All));
        Assert.InRange(TimeColumnCache.HeldBytes, 1, TimeColumnCache.Places * DenseChunk.MaxSamples * sizeof(long));
        Assert.True(TimeColumnCache.Misses > 0);
    }

    [Fact]
    public void EveryFlippedByteAndEveryTruncationIsReportedOrHarmless()
    {
        using var block = Open(6, 40, ChunkEncoding.Dense);
        var path = Path.Combine(block.DirectoryPath, "chunks", "000001");
        var want = DenseBlocks.Drain(block, TimeRange.All);
        var bytes = File.ReadAllBytes(path);
        Assert.InRange(bytes.Length, 200, 4000);
        var reported = 0;
        for (var at = 0; at < bytes.Length; at++)
        {
            var flipped = bytes.ToArray();
            flipped[at] ^= (byte)(1 << (at % 8));
            reported += Reports(flipped) ? 1 : 0;
            Assert.True(Reports(bytes[..at]), $"cut to {at}");
        }

        // Only the zeros after the version go unread.
        Assert.InRange(reported, bytes.Length - 3, bytes.Length);

        bool Reports(byte[] damaged)
        {
            File.WriteAllBytes(path, damaged);
            Assert.NotEmpty(BlockVerifier.Verify(block.DirectoryPath));
            try
            {
                using var reader = BlockReader.Open(block.DirectoryPath);
                Assert.Equal(want, DenseBlocks.Drain(reader, TimeRange.All));
                return false;
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(path + ": offset ", e.Message, StringComparison.Ordinal);
                return true;
            }
        }
    }

    /// <summary>A liar's segment: any bit of a chunk or a column another, and the checksum made to match. It may answer wrongly, but within its bytes, in order and in the index's bounds.</summary>
    [Fact]
    public void EveryFlippedBitUnderAMatchingChecksumIsSurvived()
    {
        using var block = Open(6, 40, ChunkEncoding.Dense);
        var path = Path.Combine(block.DirectoryPath, "chunks", "000001");
        File.WriteAllBytes(Path.Combine(block.DirectoryPath, BlockMeta.FileName), (block.Meta with { Metrics = null }).ToJson());
        var bytes = File.ReadAllBytes(path);
        var refused = 0;
        foreach (var (start, end) in Bodies(bytes))
        {
            for (var bit = start * 8; bit < end * 8; bit++)
            {
                var flipped = bytes.ToArray();
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(flipped.AsSpan(end), Crc32C.Of(flipped.AsSpan(start, end - start)));
                File.WriteAllBytes(path, flipped);
                BlockVerifier.Verify(block.DirectoryPath);
                try
                {
                    using var reader = BlockReader.Open(block.DirectoryPath);
                    DenseBlocks.Drain(reader, TimeRange.All);
                    DenseBlocks.Drain(reader, new TimeRange(FromMs + 60_000, FromMs + 120_000));
                }
                catch (InvalidDataException e)
                {
                    Assert.Contains(path + ": offset ", e.Message, StringComparison.Ordinal);
                    refused++;
                }
            }
        }

        Assert.True(refused > 100, $"{refused} were refused");
    }

    [Fact]
    public void ADenseChunkCannotBeGivenToAWriterAsBytes()
    {
        using var writer = new BlockWriter(Folder(), Ulid.New(TimeProvider.System, new Random(1)));
        writer.BeginSeries(Labels.Of(("a", "b")).Encoded);
        Assert.Throws<ArgumentException>(() => writer.AddChunk(ChunkEncoding.Dense, 1, 2, new byte[10]));
        Assert.Throws<ArgumentException>(() => writer.AddChunk(ChunkEncoding.TimeColumn, 1, 2, new byte[10]));
    }

    // Encoding and data of each entry of a segment; the checksum follows.
    private static List<(int Start, int End)> Bodies(byte[] segment)
    {
        var found = new List<(int, int)>();
        for (var at = ChunkSegments.HeaderBytes; at < segment.Length;)
        {
            ReadOnlySpan<byte> rest = segment.AsSpan(at);
            var length = (int)Varint.Read(ref rest);
            var start = segment.Length - rest.Length;
            found.Add((start, start + 1 + length));
            at = start + 1 + length + sizeof(uint);
        }

        return found;
    }

    private static ulong Samples(BlockReader block) => block.Meta.Stats.NumSamples;

    private static long ColumnCount(BlockReader block) => BlockAnalysis.Of(block, [], 0).Chunks.Where(f => f.Encoding == ChunkEncoding.TimeColumn).Sum(f => f.Chunks);

    private static byte[] Chunks(BlockReader block) => [.. Directory.GetFiles(Path.Combine(block.DirectoryPath, "chunks")).Order(StringComparer.Ordinal).SelectMany(File.ReadAllBytes)];

    private BlockReader Open(int series, int samples, ChunkEncoding encoding, long fromMs = FromMs, int seed = 1, long segmentBytes = 512L << 20) =>
        BlockReader.Open(DenseBlocks.Write(Folder(), series, samples, encoding, fromMs, seed, segmentBytes));

    private BlockReader Convert(BlockReader block, ChunkEncoding encoding)
    {
        var folder = Folder();
        return BlockReader.Open(Path.Combine(folder, BlockConversion.Write(block, encoding, folder)!.Ulid.ToString()));
    }

    private BlockReader Merge(List<BlockReader> blocks, ChunkEncoding encoding)
    {
        var request = new MergeRequest { Directory = Folder(), Time = TimeProvider.System, Description = new BlockDescription { FloatEncoding = encoding } };
        return BlockReader.Open(Path.Combine(request.Directory, Assert.Single(BlockMerge.Run([.. blocks.Select(b => new MergeInput(b, []))], request, default)).Ulid.ToString()));
    }

    private BlockReader Reduce(BlockReader block)
    {
        var request = new MergeRequest { Directory = Folder(), Time = TimeProvider.System, Description = new BlockDescription { FloatEncoding = ChunkEncoding.Dense } };
        return BlockReader.Open(Path.Combine(request.Directory, Downsample.Run(new MergeInput(block, []), 300_000, request, default)!.Ulid.ToString()));
    }

    private string Folder() => Directory.CreateDirectory(Path.Combine(scratch.Path, $"{folders++}")).FullName;
}
