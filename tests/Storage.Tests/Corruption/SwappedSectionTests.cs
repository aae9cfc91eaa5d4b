using System.Buffers.Binary;
using Metrics.Model;
using Xunit;

namespace Metrics.Storage.Tests.Corruption;

/// <summary>Parts of a block replaced by the same parts of another one, whose own checksums hold.</summary>
public class SwappedSectionTests
{
    private const long FarMs = 10_000;

    /// <summary>Which other block: the same series at the same times with other values, or other series, or another time.</summary>
    public static TheoryData<string, int, long> Others() => new() { { "a", 2, 1000 }, { "b", 1, 1000 }, { "bcd", 3, 1000 }, { "a", 1, FarMs }, { "a", 1, 1001 } };

    [Theory]
    [MemberData(nameof(Others))]
    public void AFileOfAnotherBlockIsReported(string prefix, int value, long fromMs)
    {
        using var block = new CorruptibleBlock();
        using var other = new CorruptibleBlock(prefix, value, fromMs: fromMs);
        foreach (var file in CorruptibleBlock.Files)
        {
            Replace(block, file, other.Original[file], $"{file} of another block", mustBeRight: !file.StartsWith("chunks/", StringComparison.Ordinal) || fromMs == FarMs);
        }
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void ASectionOfAnotherIndexIsReported(string prefix, int value, long fromMs)
    {
        using var block = new CorruptibleBlock();
        using var other = new CorruptibleBlock(prefix, value, fromMs: fromMs);
        var mine = block.Original["index"];
        var theirs = other.Original["index"];
        var (own, foreign) = (IndexParts(mine), IndexParts(theirs));
        for (var part = 0; part < own.Count; part++)
        {
            byte[] mixed = [.. mine[..own[part].Start], .. theirs[foreign[part].Start..foreign[part].End], .. mine[own[part].End..]];
            Replace(block, "index", mixed, $"part {part} of another index");
        }
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void AChunkOfAnotherBlockIsReported(string prefix, int value, long fromMs)
    {
        using var block = new CorruptibleBlock();
        using var other = new CorruptibleBlock(prefix, value, fromMs: fromMs);
        foreach (var file in CorruptibleBlock.Files.Where(f => f.StartsWith("chunks/", StringComparison.Ordinal)))
        {
            var mine = block.Original[file];
            var theirs = other.Original[file];
            var (own, foreign) = (ChunkParts(mine), ChunkParts(theirs));
            for (var part = 0; part < Math.Min(own.Count, foreign.Count); part++)
            {
                byte[] mixed = [.. mine[..own[part].Start], .. theirs[foreign[part].Start..foreign[part].End], .. mine[own[part].End..]];
                Replace(block, file, mixed, $"chunk {part} of another {file}", mustBeRight: fromMs == FarMs);
            }
        }
    }

    [Fact]
    public void ChunksThatChangedPlacesAreReported()
    {
        using var block = new CorruptibleBlock();
        foreach (var file in CorruptibleBlock.Files.Where(f => f.StartsWith("chunks/", StringComparison.Ordinal)))
        {
            var bytes = block.Original[file];
            var parts = ChunkParts(bytes);
            for (var i = 1; i + 1 < parts.Count; i++)
            {
                byte[] mixed = [.. bytes[..parts[i].Start], .. bytes[parts[i + 1].Start..parts[i + 1].End], .. bytes[parts[i].Start..parts[i].End], .. bytes[parts[i + 1].End..]];
                Replace(block, file, mixed, $"chunks {i} and {i + 1} of {file}");
            }
        }
    }

    // A chunk is told from another block's by its time. When that agrees, too, only the seal over whole files tells, which verify reads.
    private static void Replace(CorruptibleBlock block, string file, byte[] content, string what, bool mustBeRight = true)
    {
        if (!content.AsSpan().SequenceEqual(block.Original[file]))
        {
            CorruptionTests.Check(block, file, content, what, mustVerify: true, mustBeRight);
        }
    }

    private static List<(int Start, int End)> IndexParts(byte[] index)
    {
        var toc = index.Length - IndexFormat.TocBytes;
        int At(int entry) => (int)BinaryPrimitives.ReadUInt64BigEndian(index.AsSpan(toc + (8 * entry)));
        int[] starts = [0, At(0), At(1), At(4), At(3), At(5), toc, index.Length];
        return [.. starts.Zip(starts.Skip(1))];
    }

    private static List<(int Start, int End)> ChunkParts(byte[] segment)
    {
        var parts = new List<(int, int)> { (0, ChunkSegments.HeaderBytes) };
        for (var at = ChunkSegments.HeaderBytes; at < segment.Length;)
        {
            ReadOnlySpan<byte> rest = segment.AsSpan(at);
            var length = (int)Varint.Read(ref rest);
            var end = segment.Length - rest.Length + 1 + length + 4;
            parts.Add((at, end));
            at = end;
        }

        return parts;
    }
}
