using Metrics.Model;
namespace Metrics.Storage;

/// <summary>The blocks in a local directory, one shard's. Thread-safe.</summary>
/// <remarks>
/// Opening sweeps what a crash left (<c>*.tmp</c>) and puts aside what is damaged: the directory is renamed to <c>&lt;ulid&gt;.damaged</c>, the caller
/// is told why, and the other blocks serve. Nothing is deleted but leftovers and what <see cref="Delete"/> names.
/// </remarks>
public sealed class BlockSet : IDisposable
{
    /// <summary>What the name of a block put aside ends with.</summary>
    public const string DamagedSuffix = ".damaged";

    private readonly string directory;
    private readonly Action<string> report;
    private readonly Lock gate = new();
    private BlockReader[] blocks;

    /// <summary>Opens all blocks of a directory, which is made when missing.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="report">Is told, in a sentence, of each leftover swept and each block put aside.</param>
    public BlockSet(string directory, Action<string> report)
    {
        this.directory = directory;
        this.report = report;
        Directory.CreateDirectory(directory);
        var opened = new List<BlockReader>();
        foreach (var path in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal).ToList())
        {
            var name = Path.GetFileName(path);
            if (name.EndsWith(BlockWriter.UnfinishedSuffix, StringComparison.Ordinal))
            {
                Directory.Delete(path, recursive: true);
                report($"removed the unfinished block {path}");
            }
            else if (Ulid.TryParse(name, out _) && OpenOrPutAside(path) is { } block)
            {
                opened.Add(block);
            }
        }

        blocks = [.. opened.OrderBy(b => b.Meta.MinTime).ThenBy(b => b.Meta.Ulid)];
    }

    /// <summary>The open blocks, by first instant; the list is a snapshot. A block that is deleted meanwhile refuses a selection with <see cref="ObjectDisposedException"/>.</summary>
    public IReadOnlyList<BlockReader> Blocks => Volatile.Read(ref blocks);

    /// <summary>Begins a block that <see cref="Add"/> takes in once it is finished.</summary>
    public BlockWriter Write(Ulid ulid, BlockDescription? description = null) => new(directory, ulid, description);

    /// <summary>Opens a finished block of the directory and lists it.</summary>
    /// <exception cref="InvalidDataException">The block is damaged; it is not listed.</exception>
    public BlockReader Add(Ulid ulid)
    {
        var block = BlockReader.Open(Path.Combine(directory, ulid.ToString()));
        Replace([], [block]);
        return block;
    }

    /// <summary>Takes one snapshot of blocks with a hold on each, so that none of them closes before the result is disposed.</summary>
    public BlockSnapshot Snapshot()
    {
        lock (gate)
        {
            // Only Replace closes blocks, and it takes them off the list under the same lock first.
            return new BlockSnapshot(blocks);
        }
    }

    /// <summary>Takes a block off the list and removes its files; running reads of it end undisturbed.</summary>
    /// <returns>False when there is no such block.</returns>
    public bool Delete(Ulid ulid)
    {
        var block = Blocks.FirstOrDefault(b => b.Meta.Ulid == ulid);
        if (block is null || !Replace([block], []))
        {
            return false;
        }

        // The rename comes first: a crash in the middle of the removal must not leave half a block under its name.
        var doomed = block.DirectoryPath + BlockWriter.UnfinishedSuffix;
        Directory.Move(block.DirectoryPath, doomed);
        DurableFile.FlushFolder(directory);
        Directory.Delete(doomed, recursive: true);
        return true;
    }

    /// <summary>Closes all blocks.</summary>
    public void Dispose() => Replace([.. Blocks], []);

    private bool Replace(BlockReader[] leaving, BlockReader[] coming)
    {
        lock (gate)
        {
            if (leaving.Any(b => !blocks.Contains(b)))
            {
                return false;
            }

            Volatile.Write(ref blocks, [.. blocks.Except(leaving).Concat(coming).OrderBy(b => b.Meta.MinTime).ThenBy(b => b.Meta.Ulid)]);
        }

        foreach (var block in leaving)
        {
            block.Dispose();
        }

        return true;
    }

    private BlockReader? OpenOrPutAside(string path)
    {
        try
        {
            return BlockReader.Open(path);
        }
        catch (Exception e) when (e is InvalidDataException or FileNotFoundException or DirectoryNotFoundException)
        {
            var aside = path + DamagedSuffix;
            for (var i = 1; Directory.Exists(aside); i++)
            {
                aside = $"{path}{DamagedSuffix}.{i}";
            }

            Directory.Move(path, aside);
            DurableFile.FlushFolder(directory);
            report($"put the damaged block aside as {aside}: {e.Message}");
            return null;
        }
    }
}

/// <summary>Blocks that stay open until this is disposed.</summary>
public sealed class BlockSnapshot : IDisposable
{
    private readonly IDisposable[] holds;

    internal BlockSnapshot(IReadOnlyList<BlockReader> blocks)
    {
        Blocks = blocks;
        holds = new IDisposable[blocks.Count];
        for (var i = 0; i < holds.Length; i++)
        {
            holds[i] = blocks[i].Hold();
        }
    }

    /// <summary>The blocks, by first instant.</summary>
    public IReadOnlyList<BlockReader> Blocks { get; }

    /// <summary>Lets go of the blocks.</summary>
    public void Dispose()
    {
        foreach (var hold in holds)
        {
            hold.Dispose();
        }
    }
}
