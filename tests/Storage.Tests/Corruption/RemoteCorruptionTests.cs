using Metrics.Model;
using Metrics.ObjectStore;
using Xunit;

namespace Metrics.Storage.Tests.Corruption;

/// <summary>A block in object storage whose bytes went bad there: read by ranges, it gives an error with file and offset, or the right answer.</summary>
public class RemoteCorruptionTests
{
    [Theory]
    [InlineData("index")]
    [InlineData("chunks/000002")]
    [InlineData("tombstones")]
    public async Task EveryFlippedByteIsReportedOrHarmless(string file)
    {
        using var block = new CorruptibleBlock();
        using var scratch = new ScratchDirectory();
        var meta = BlockMeta.Read(block.Path);
        var store = new MemoryObjectStore(TimeProvider.System);
        foreach (var (name, bytes) in block.Original)
        {
            await store.PutAsync("t/" + name, bytes, PutCondition.None, default);
        }

        var want = Ask(store, meta, block, scratch);
        Assert.NotEmpty(want);
        var reported = 0;
        for (var at = 0; at < block.Original[file].Length; at++)
        {
            var flipped = block.Original[file].ToArray();
            flipped[at] ^= 0x11;
            await store.PutAsync("t/" + file, flipped, PutCondition.None, default);
            try
            {
                Assert.Equal(want, Ask(store, meta, block, scratch));
            }
            catch (InvalidDataException e)
            {
                Assert.Contains(file + ": offset ", e.Message, StringComparison.Ordinal);
                reported++;
            }
        }

        Assert.True(reported > 0, "no flip was noticed");
    }

    private static List<string> Ask(MemoryObjectStore store, BlockMeta meta, CorruptibleBlock block, ScratchDirectory scratch)
    {
        var folder = Path.Combine(scratch.Path, Path.GetRandomFileName());
        using var cache = new BlockCache(store, new BlockCacheOptions { Folder = folder }, TimeProvider.System);
        using var reader = cache.Open("t/", meta, block.Original.ToDictionary(f => f.Key, f => (long)f.Value.Length, StringComparer.Ordinal));
        using var all = reader.Select([], TimeRange.All);
        using var buffer = new SampleBuffer();
        var answers = new List<string>();
        for (var i = 0; i < all.Count; i++)
        {
            buffer.Clear();
            all.Read(i, buffer);
            answers.Add($"{all.LabelsOf(i)} {string.Join(' ', buffer.Times.ToArray())} {string.Join(' ', buffer.Values.ToArray())} {string.Join(' ', buffer.Histograms.ToArray().Select(h => h?.ToString()))}");
        }

        answers.AddRange(reader.LabelValues("n", [], TimeRange.All));
        return answers;
    }
}
