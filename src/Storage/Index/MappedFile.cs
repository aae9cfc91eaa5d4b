using System.IO.MemoryMappedFiles;

namespace Metrics.Storage;

/// <summary>A local file mapped into memory for reading.</summary>
public sealed unsafe class MappedFile : IBlockFile
{
    private readonly MemoryMappedFile? map;
    private readonly MemoryMappedViewAccessor? view;
    private byte* start;

    /// <summary>Maps a file.</summary>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public MappedFile(string path)
        : this(path, FileShare.Read)
    {
    }

    /// <summary>Maps a file that others may share so while it is opened.</summary>
    internal MappedFile(string path, FileShare share)
    {
        Name = path;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, share | FileShare.Delete, 1);
        Length = file.Length;
        if (Length == 0)
        {
            return; // An empty file cannot be mapped, and has no range to ask for.
        }

        map = MemoryMappedFile.CreateFromFile(file, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        view = map.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public long Length { get; }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Range(long offset, int length)
    {
        if (offset < 0 || length < 0 || offset > Length - length)
        {
            ThrowOutside(offset, length);
        }

        ObjectDisposedException.ThrowIf(start is null && length > 0, this);
        return new ReadOnlySpan<byte>(start + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (start is not null)
        {
            start = null;
            view!.SafeMemoryMappedViewHandle.ReleasePointer();
        }

        view?.Dispose();
        map?.Dispose();
    }

    private void ThrowOutside(long offset, int length) =>
        throw new InvalidDataException($"{Name}: offset {offset}: {length} bytes are wanted, but the file has {Length}");
}
