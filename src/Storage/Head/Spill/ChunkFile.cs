using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace Metrics.Storage;

/// <summary>One file of sealed chunks: appended to, and mapped as a whole for reading.</summary>
/// <remarks>
/// The file has its full size from the start, as a hole, so that one mapping lasts for its life; what is written shows in the mapping at once, since both are the page cache.
/// A head holds a file for as long as a view of it may look inside; the mapping goes with the last head that does.
/// </remarks>
internal sealed unsafe class ChunkFile
{
    private readonly SafeFileHandle handle;
    private readonly MemoryMappedFile map;
    private readonly MemoryMappedViewAccessor view;
    private int holders;

    private ChunkFile(string path, int number, SafeFileHandle handle, long length)
    {
        Path = path;
        Number = number;
        this.handle = handle;
        Capacity = RandomAccess.GetLength(handle);
        Length = length;
        map = MemoryMappedFile.CreateFromFile(handle, null, Capacity, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        view = map.CreateViewAccessor(0, Capacity, MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        Start = start + view.PointerOffset;
    }

    public string Path { get; }

    public int Number { get; }

    /// <summary>The mapping.</summary>
    public byte* Start { get; }

    /// <summary>The most bytes it can hold.</summary>
    public long Capacity { get; }

    /// <summary>Bytes written.</summary>
    public long Length { get; private set; }

    /// <summary>True when something was written since it was last flushed.</summary>
    public bool IsDirty { get; private set; }

    /// <summary>Records that some series still holds; the writer's own.</summary>
    public int LiveRecords { get; set; }

    /// <summary>Makes a file.</summary>
    /// <exception cref="IOException">The disk is full, or the folder can't be written.</exception>
    public static ChunkFile Create(string path, int number, long capacity)
    {
        var opened = File.OpenHandle(path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            RandomAccess.SetLength(opened, capacity);
            return new ChunkFile(path, number, opened, 0);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Opens a file of an earlier life, in which nothing more is written.</summary>
    /// <exception cref="IOException">It can't be opened.</exception>
    public static ChunkFile Open(string path, int number)
    {
        var opened = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            return new ChunkFile(path, number, opened, RandomAccess.GetLength(opened));
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Appends bytes.</summary>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(handle, bytes, Length);
        Length += bytes.Length;
        IsDirty = true;
    }

    /// <summary>Makes what was written survive a power cut.</summary>
    public void Flush()
    {
        RandomAccess.FlushToDisk(handle);
        IsDirty = false;
    }

    public void Hold() => Interlocked.Increment(ref holders);

    /// <summary>Lets go of it; the last one unmaps it.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref holders) == 0)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            map.Dispose();
            handle.Dispose();
        }
    }
}
