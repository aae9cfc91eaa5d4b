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

    /// <summary>True when a range that is asked for may have to be fetched from afar, so that saying early what will be asked for pays.</summary>
    bool IsRemote => false;

    /// <summary>Fetches ranges that will be asked for, in as few requests as sensible, side by side. Blocks until they are there.</summary>
    /// <param name="ranges">Ascending; ends beyond the file are cut off.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="IOException">The store failed.</exception>
    void Prefetch(IReadOnlyList<FileRange> ranges, CancellationToken cancellation)
    {
    }

    /// <summary>Says that a range was verified once for all and will be read without a checksum, so that it must not be fetched anew while the file is open.</summary>
    void Keep(long offset, long length)
    {
    }

    /// <summary>The same file as its source has it, past what is kept of it here; null when this is the source.</summary>
    IRefetchedFile? Refetched() => null;
}

/// <summary>A file read past the cache, for bytes that did not verify: they may have gone wrong on the way or on the local disk.</summary>
public interface IRefetchedFile : IBlockFile
{
    /// <summary>Puts a range that was read here, and verified, in the place of what is kept.</summary>
    void Mend(long offset, int length);
}

/// <summary>A range of a file.</summary>
/// <param name="Offset">Where it begins.</param>
/// <param name="Length">How many bytes it has.</param>
public readonly record struct FileRange(long Offset, long Length)
{
    /// <summary>Where it ends, exclusive.</summary>
    public long End => Offset + Length;
}

/// <summary>Collects ranges that ascend, joining those that touch or nearly do.</summary>
internal sealed class FileRanges
{
    /// <summary>Bytes between two ranges that are cheaper to fetch than to ask twice for: at 100 MB/s, less than a millisecond, where a request takes ten.</summary>
    private const long Gap = 64 * 1024;

    private readonly List<FileRange> ranges = [];

    /// <summary>The ranges.</summary>
    public IReadOnlyList<FileRange> Items => ranges;

    /// <summary>Bytes of all ranges.</summary>
    public long Bytes { get; private set; }

    /// <summary>Adds a range that begins no earlier than the last one did.</summary>
    public void Add(long offset, long length)
    {
        if (ranges.Count > 0 && offset <= ranges[^1].End + Gap)
        {
            var last = ranges[^1];
            var joined = new FileRange(last.Offset, Math.Max(last.End, offset + length) - last.Offset);
            Bytes += joined.Length - last.Length;
            ranges[^1] = joined;
            return;
        }

        ranges.Add(new FileRange(offset, length));
        Bytes += length;
    }
}

/// <summary>The files of one block, wherever they lie.</summary>
internal interface IBlockFiles
{
    /// <summary>What messages call a file.</summary>
    string NameOf(string path);

    /// <summary>Opens a file by its path inside the block; null when there is none.</summary>
    IBlockFile? Open(string path);

    /// <summary>Is told when the last reader of the open block is gone.</summary>
    void OnIdle()
    {
    }
}

/// <summary>The files of a block in a local directory, mapped.</summary>
internal sealed class LocalBlockFiles(string directory) : IBlockFiles
{
    /// <inheritdoc/>
    public string NameOf(string path) => Path.Combine(directory, path);

    /// <inheritdoc/>
    public IBlockFile? Open(string path) => File.Exists(NameOf(path)) ? new MappedFile(NameOf(path)) : null;
}
