namespace Metrics.Storage;

/// <summary>An immutable file of a block, read by ranges. Thread-safe.</summary>
public interface IBlockFile : IDisposable
{
    /// <summary>What messages call the file.</summary>
    string Name { get; }

    /// <summary>The size in bytes.</summary>
    long Length { get; }

    /// <summary>The bytes of a range, valid until the file is disposed. The range lies inside the file; the caller has checked.</summary>
    ReadOnlySpan<byte> Range(long offset, int length);
}
