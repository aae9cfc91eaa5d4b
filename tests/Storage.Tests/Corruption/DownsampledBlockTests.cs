using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests.Corruption;

/// <summary>Blocks of Thanos's downsampling: five aggregates a chunk.</summary>
public class DownsampledBlockTests
{
    [Fact]
    public void ADownsampledBlockIsSoundAnalyzedSplitAndEveryFlippedByteOfItsChunksIsFound()
    {
        using var scratch = new ScratchDirectory();
        var path = Write(scratch.Path, Aggregates());
        Assert.Empty(BlockVerifier.Verify(path));
        using (var block = BlockReader.Open(path))
        {
            Assert.Equal((6UL, 6UL, 0UL), (block.Meta.Stats.NumSamples, block.Meta.Stats.NumFloatSamples, block.Meta.Stats.NumHistogramSamples));
            Assert.Equal(6, Assert.Single(BlockAnalysis.Of(block, [], 1).Chunks).Samples);
            using var split = new BlockSplit(block, [HashRange.Everything], new Dictionary<string, string>(StringComparer.Ordinal) { ["replica"] = "a" });
            var folder = Directory.CreateDirectory(Path.Combine(scratch.Path, "part")).FullName;
            var part = Path.Combine(folder, split.Write(0, folder, new BlockDescription { Thanos = block.Meta.Thanos })!.Ulid.ToString());
            Assert.Empty(BlockVerifier.Verify(part));
            Assert.Equal(300_000, BlockMeta.Read(part).Thanos!.Downsample.Resolution);
            using var all = block.Select([], TimeRange.All);
            using var into = new SampleBuffer();
            all.Read(0, into);
            Assert.NotEqual(0, into.Count);
        }

        var chunks = Path.Combine(path, "chunks", "000001");
        var bytes = File.ReadAllBytes(chunks);
        for (var at = 0; at < bytes.Length; at++)
        {
            var flipped = bytes.ToArray();
            flipped[at] ^= 0x20;
            File.WriteAllBytes(chunks, flipped);
            Assert.All(BlockVerifier.Verify(path), d => Assert.Equal(chunks, d.File));
            Assert.NotEmpty(BlockVerifier.Verify(path));
        }
    }

    /// <summary>Checksums that hold over nonsense: what a faulty program writes.</summary>
    [Fact]
    public void AggregatesThatDoNotFitTheirChunkAreDamageNotACrash()
    {
        var good = Aggregates();
        for (var length = 2; length < good.Length; length++)
        {
            using var scratch = new ScratchDirectory();
            try
            {
                Assert.NotEmpty(BlockVerifier.Verify(Write(scratch.Path, good[..length])));
            }
            catch (InvalidDataException)
            {
                // The writer refuses it already.
            }
        }

        using var other = new ScratchDirectory();
        Assert.Throws<InvalidDataException>(() => Write(other.Path, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 2, 3]));
    }

    private static byte[] Aggregates()
    {
        var bytes = new List<byte>();
        for (var i = 0; i < AggregateChunk.Aggregates; i++)
        {
            if (i == 2)
            {
                bytes.Add(0); // No minimum.
                continue;
            }

            var part = TestBlocks.Xor((300_000, i), (600_000, i + 1), (900_000, i + 2)).Data.ToArray();
            bytes.Add((byte)part.Length);
            bytes.Add((byte)ChunkEncoding.Xor);
            bytes.AddRange(part);
        }

        return [.. bytes];
    }

    private static string Write(string folder, byte[] chunk)
    {
        var ulid = Ulid.New(TimeProvider.System, new Random(1));
        using var writer = new BlockWriter(folder, ulid, new BlockDescription { Thanos = new ThanosMeta { Downsample = new ThanosDownsample(300_000) } });
        foreach (var name in (string[])["a", "b"])
        {
            writer.BeginSeries(Labels.Of(("__name__", name)).Encoded);
            writer.AddChunk(AggregateChunk.Encoding, 300_000, 900_000, chunk);
        }

        writer.Finish();
        return Path.Combine(folder, ulid.ToString());
    }
}
