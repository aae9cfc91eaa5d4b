using Xunit;
using Xunit.Abstractions;

namespace Metrics.Storage.Tests.Corruption;

/// <summary>
/// Damage of every kind, enumerated over a small block: a query gives an error that names file, offset and reason, or the right answer; verify finds
/// what is wrong; nothing crashes, hangs or takes memory.
/// </summary>
public class CorruptionTests(ITestOutputHelper log)
{
    private const long MaxAllocatedBytes = 64L << 20;

    public static TheoryData<string, bool> FilesWithAndWithoutSeal()
    {
        var data = new TheoryData<string, bool>();
        foreach (var file in CorruptibleBlock.Files)
        {
            data.Add(file, true);
            data.Add(file, false);
        }

        return data;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ASoundBlockHasNoDefect(bool seal)
    {
        using var block = new CorruptibleBlock(seal: seal);
        Assert.Empty(BlockVerifier.Verify(block.Path));
        Assert.Equal(CorruptibleBlock.Files, Directory.EnumerateFiles(block.Path, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(block.Path, f)).Order(StringComparer.Ordinal));
    }

    /// <summary>
    /// The format gives meta.json no checksum: without a seal a changed number is as good as the right one, and with one a change of
    /// the seal's own name takes the seal away, which harms nobody.
    /// </summary>
    [Theory]
    [MemberData(nameof(FilesWithAndWithoutSeal))]
    public void EveryFlippedByteIsReportedOrHarmless(string file, bool seal)
    {
        using var block = new CorruptibleBlock(seal: seal);
        var found = 0;
        var bytes = block.Original[file];
        for (var at = 0; at < bytes.Length; at++)
        {
            foreach (var mask in (byte[])[(byte)(1 << (at % 8)), 0x80, 0xff])
            {
                var flipped = bytes.ToArray();
                flipped[at] ^= mask;
                found += Check(block, file, flipped, $"byte {at} xor {mask:x2}", mustVerify: file != BlockMeta.FileName, mustBeRight: seal || file != BlockMeta.FileName) ? 1 : 0;
            }
        }

        log.WriteLine($"{found} of {bytes.Length * 3} flips stopped a query");
    }

    [Theory]
    [MemberData(nameof(FilesWithAndWithoutSeal))]
    public void EveryTruncationIsReported(string file, bool seal)
    {
        using var block = new CorruptibleBlock(seal: seal);
        for (var length = 0; length < block.Original[file].Length; length++)
        {
            Check(block, file, block.Original[file][..length], $"cut to {length}", mustVerify: true);
        }
    }

    [Theory]
    [MemberData(nameof(FilesWithAndWithoutSeal))]
    public void BytesBehindTheEndAreReported(string file, bool seal)
    {
        using var block = new CorruptibleBlock(seal: seal);
        foreach (var tail in (byte[][])[[0], [0xff], new byte[8], new byte[64], [.. Enumerable.Repeat((byte)0xAB, 100)], block.Original[file]])
        {
            Check(block, file, [.. block.Original[file], .. tail], $"{tail.Length} bytes more", mustVerify: true);
        }
    }

    [Theory]
    [MemberData(nameof(FilesWithAndWithoutSeal))]
    public void AMissingFileIsReported(string file, bool seal)
    {
        using var block = new CorruptibleBlock(seal: seal);
        File.Delete(block.FileOf(file));
        if (file == Tombstones.FileName)
        {
            return; // Thanos and Mimir keep no tombstones in a bucket: a block without them has no deletions.
        }

        var error = Assert.Throws<InvalidDataException>(() => block.Ask());
        Assert.Contains($"{block.FileOf(file)}: offset ", error.Message, StringComparison.Ordinal);
        Assert.Contains(BlockVerifier.Verify(block.Path), d => d.File == block.FileOf(file));
    }

    /// <summary>Zeros instead of a page are what a file system leaves of a file that it lost in a power cut.</summary>
    [Theory]
    [MemberData(nameof(FilesWithAndWithoutSeal))]
    public void ZeroedRunsAreReported(string file, bool seal)
    {
        using var block = new CorruptibleBlock(seal: seal);
        var bytes = block.Original[file];
        for (var start = 0; start < bytes.Length; start += 16)
        {
            var zeroed = bytes.ToArray();
            zeroed.AsSpan(start).Clear();
            Check(block, file, zeroed, $"zeros from {start}", mustVerify: !zeroed.AsSpan().SequenceEqual(bytes));
        }
    }

    /// <summary>Damages one file, asks and verifies, and puts the file back. True when asking raised the error.</summary>
    internal static bool Check(CorruptibleBlock block, string file, byte[] content, string what, bool mustVerify, bool mustBeRight = true)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        File.WriteAllBytes(block.FileOf(file), content);
        var stopped = false;
        try
        {
            var answers = block.Ask();
            Assert.True(block.Answers.SequenceEqual(answers, StringComparer.Ordinal) || !mustBeRight, $"{file}, {what}: a wrong answer");
        }
        catch (InvalidDataException e)
        {
            stopped = true;
            Assert.True(e.Message.Contains(block.Path, StringComparison.Ordinal) && e.Message.Contains(": offset ", StringComparison.Ordinal), $"{file}, {what}: the error names no place: {e.Message}");
        }

        var defects = BlockVerifier.Verify(block.Path);
        Assert.True(defects.Count > 0 || !(mustVerify || stopped), $"{file}, {what}: verify found nothing");
        Assert.All(defects, d => Assert.StartsWith(block.Path, d.File, StringComparison.Ordinal));
        block.Restore(file);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < MaxAllocatedBytes, $"{file}, {what}: {allocated} bytes were allocated");
        return stopped;
    }
}
