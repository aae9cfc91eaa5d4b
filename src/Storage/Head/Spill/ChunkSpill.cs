using System.Globalization;

namespace Metrics.Storage;

/// <summary>Where the heads of a shard put their sealed chunks, so that memory holds little more than open ones: files in a folder, mapped for reading.</summary>
/// <remarks>
/// A cache, never the truth: the log holds every sample until blocks do, so the files are synced only before a <see cref="HeadSnapshot"/> that refers to them, and are thrown away when anything
/// about them is wrong. One writer at a time; any number of readers.
/// </remarks>
public sealed unsafe class ChunkSpill : IDisposable
{
    private const string Extension = ".chunks";
    private readonly string folder;
    private readonly long fileBytes;
    private readonly List<string> dead = [];
    private ChunkFile?[] files = [];
    private ChunkFile? current;
    private int lastNumber;

    /// <summary>Takes a folder, which is made when the first chunk is spilled.</summary>
    /// <param name="folder">The folder; nobody else's.</param>
    /// <param name="fileBytes">The size of a file; a file goes when all its chunks are in blocks.</param>
    public ChunkSpill(string folder, long fileBytes = 64 * 1024 * 1024)
    {
        this.folder = folder;
        this.fileBytes = fileBytes;
        lastNumber = Numbers().DefaultIfEmpty(0).Max();
    }

    /// <summary>Bytes of chunks in files that are in use.</summary>
    public long Bytes => files.Sum(f => f is { LiveRecords: > 0 } ? f.Length : 0);

    /// <summary>About so many bytes go at once: copied and written in a fraction of a millisecond.</summary>
    internal int BatchBytes => (int)Math.Min(256 * 1024, fileBytes);

    /// <summary>The file that is appended to.</summary>
    internal ChunkFile? Current => current;

    /// <summary>Deletes the files of an earlier life, which nobody refers to.</summary>
    public void Clear()
    {
        foreach (var number in Numbers())
        {
            File.Delete(PathOf(number));
        }
    }

    /// <summary>Deletes the files that no series needs any more; to be called when no snapshot refers to them.</summary>
    public void DeleteDead()
    {
        dead.ForEach(File.Delete);
        dead.Clear();
    }

    /// <summary>Makes what was written survive a power cut.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Flush()
    {
        foreach (var file in files)
        {
            if (file is { IsDirty: true, LiveRecords: > 0 })
            {
                file.Flush();
            }
        }
    }

    /// <summary>Lets go of the file at hand; the files stay, for the next life.</summary>
    public void Dispose()
    {
        current?.Release();
        current = null;
    }

    /// <summary>The file with room for so many bytes, a new one when need be.</summary>
    /// <exception cref="IOException">The disk is full.</exception>
    internal ChunkFile WithRoom(int bytes)
    {
        if (current is null || current.Length + bytes > current.Capacity)
        {
            Directory.CreateDirectory(folder);
            var file = ChunkFile.Create(PathOf(lastNumber + 1), lastNumber + 1, Math.Max(fileBytes, bytes));
            lastNumber++;
            file.Hold();
            Enter(file);
            current?.Release();
            current = file;
        }

        return current;
    }

    /// <summary>A file of an earlier life, opened when it is first asked for.</summary>
    /// <exception cref="IOException">There is no such file.</exception>
    internal ChunkFile Reopen(int number)
    {
        if (number < files.Length && files[number] is { } open)
        {
            return open;
        }

        if (number <= 0 || number > lastNumber)
        {
            throw new InvalidDataException($"file {number} of chunks is named, but the last one is {lastNumber}");
        }

        var file = ChunkFile.Open(PathOf(number), number);
        Enter(file);
        return file;
    }

    /// <summary>The file of a stored link.</summary>
    internal ChunkFile FileOf(long link) => Volatile.Read(ref files)[NumberOf(link)]!;

    /// <summary>The chunk behind a stored link, verified; to be used while its file is held.</summary>
    /// <exception cref="InvalidDataException">The file does not hold what was written.</exception>
    internal SealedChunk Read(long link)
    {
        var file = FileOf(link);
        var offset = OffsetOf(link);
        var chunk = new SealedChunk(file.Start + offset);
        return chunk.IsIntact(file.Capacity - offset)
            ? chunk
            : throw new InvalidDataException($"{file.Path}: offset {offset}: the checksum of a sealed chunk does not match; a restart brings it back from the log");
    }

    /// <summary>Gives up a file: no series has a chunk in it.</summary>
    internal void Drop(ChunkFile file) => dead.Add(file.Path);

    /// <summary>Deletes the files of an earlier life that the snapshot does not name.</summary>
    public void DeleteUnused()
    {
        foreach (var number in Numbers())
        {
            if (number >= files.Length || files[number] is not { } file || (file.LiveRecords == 0 && file != current))
            {
                File.Delete(PathOf(number));
            }
        }
    }

    internal static long Link(int number, long offset) => SealedChunk.Stored | ((long)number << 32) | offset;

    internal static int NumberOf(long link) => (int)((link & ~SealedChunk.Stored) >> 32);

    internal static long OffsetOf(long link) => (uint)link;

    private void Enter(ChunkFile file)
    {
        if (file.Number >= files.Length)
        {
            var grown = new ChunkFile?[Math.Max(file.Number + 1, files.Length * 2)];
            files.CopyTo(grown, 0);
            Volatile.Write(ref files, grown);
        }

        Volatile.Write(ref files[file.Number], file);
    }

    private string PathOf(int number) => Path.Combine(folder, number.ToString("D8", CultureInfo.InvariantCulture) + Extension);

    private List<int> Numbers()
    {
        var numbers = new List<int>();
        foreach (var path in Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*" + Extension) : [])
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                numbers.Add(number);
            }
        }

        return numbers;
    }
}
