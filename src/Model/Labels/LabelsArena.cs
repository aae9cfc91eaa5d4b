namespace Metrics.Model;

/// <summary>Makes label sets whose bytes lie together, for who makes many that live as long as each other: the collector then has one object for each instead of two. Not thread-safe.</summary>
/// <remarks>A set that outlives the others keeps the block that it lies in, <see cref="BlockBytes"/> at most.</remarks>
public sealed class LabelsArena
{
    /// <summary>The size that blocks grow to.</summary>
    public const int BlockBytes = 16 << 10;

    private const int SecondBlockBytes = 512;

    private byte[] block = [];
    private int used;

    /// <summary>Makes a label set of canonical bytes, which are copied. The caller vouches for the form.</summary>
    public Labels Add(ReadOnlySpan<byte> canonical)
    {
        if (canonical.IsEmpty)
        {
            return Labels.Empty;
        }

        if (canonical.Length > BlockBytes)
        {
            return Labels.FromEncoded(canonical);
        }

        if (block.Length - used < canonical.Length)
        {
            // The first is as long as its only set may be.
            block = new byte[Math.Max(canonical.Length, block.Length == 0 ? 0 : Math.Clamp(2 * block.Length, SecondBlockBytes, BlockBytes))];
            used = 0;
        }

        canonical.CopyTo(block.AsSpan(used));
        used += canonical.Length;
        return new Labels(block, used - canonical.Length, canonical.Length);
    }
}
