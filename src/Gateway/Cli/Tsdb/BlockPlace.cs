using System.CommandLine;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>How a command line says where blocks are: a folder, or a bucket and a folder in it.</summary>
internal sealed class BlockPlaceOptions
{
    private readonly Argument<string?> folder = new("DIR")
    {
        Description = "A block, a folder of blocks, a Prometheus data directory, a data directory of ours; with --objstore.config-file a folder of the bucket, all of it when not given.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> bucket = new("--objstore.config-file")
    {
        Description = "Blocks lie in this object storage: a YAML file as Thanos has it.",
        HelpName = "FILE",
    };

    private readonly Option<string?> temporary = new("--temp-dir")
    {
        Description = "Where blocks of a bucket are put while they are read; the system's folder for such things when not given.",
        HelpName = "FOLDER",
    };

    /// <summary>Adds the argument and the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(folder);
        command.Add(bucket);
        command.Add(temporary);
    }

    /// <summary>Finds the blocks.</summary>
    /// <exception cref="CommandException">There is none, or the command line does not say where.</exception>
    public async Task<BlockPlace> OpenAsync(ParseResult parsed, CancellationToken stop)
    {
        var path = parsed.GetValue(folder);
        if (parsed.GetValue(bucket) is not { } file)
        {
            return BlockPlace.Local(path ?? throw new CommandException(ExitCode.Usage, "say where the blocks are: DIR, or --objstore.config-file"));
        }

        var configuration = ObjectStoreConfiguration.FromFile(file);
        return configuration.Folder is { } local
            ? BlockPlace.Local(path is null ? local : Path.Combine(local, path))
            : await BlockPlace.RemoteAsync(configuration.Open(TimeProvider.System), path ?? "", parsed.GetValue(temporary) ?? Path.GetTempPath(), stop);
    }
}

/// <summary>The blocks at a place, by name.</summary>
internal sealed class BlockPlace : IAsyncDisposable
{
    private readonly IObjectStore? store;
    private readonly string? scratch;

    private BlockPlace(string name, IReadOnlyList<PlacedBlock> blocks, IObjectStore? store, string? scratch)
    {
        Blocks = blocks.Count > 0 ? blocks : throw new CommandException(ExitCode.Failure, $"no block lies in {name}");
        this.store = store;
        this.scratch = scratch;
    }

    /// <summary>The blocks; at least one.</summary>
    public IReadOnlyList<PlacedBlock> Blocks { get; }

    /// <summary>The blocks of a folder of this machine.</summary>
    public static BlockPlace Local(string path) => new(path, [.. BlockFolders.Find(path).Select(f => new LocalBlock(f))], null, null);

    /// <summary>The blocks of a bucket, which is the result's from now on.</summary>
    public static async Task<BlockPlace> RemoteAsync(IObjectStore store, string folder, string temporary, CancellationToken stop)
    {
        var copies = Path.Combine(temporary, $"metrics-tsdb-{Path.GetRandomFileName()}");
        try
        {
            var prefix = folder.Trim('/');
            var files = new SortedDictionary<string, List<ObjectInfo>>(StringComparer.Ordinal);
            await foreach (var found in store.ListAsync(prefix.Length == 0 ? "" : prefix + "/", stop))
            {
                if (FolderOf(found.Key) is { } block)
                {
                    files.TryAdd(block, []);
                    files[block].Add(found);
                }
            }

            return new BlockPlace($"{store.Name} {prefix}".TrimEnd(), [.. files.Select(b => new RemoteBlock(store, b.Key, b.Value, copies))], store, copies);
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>The blocks that can be read, each once: one that waits for its upload may lie in the bucket, too. Those that are not whole are named.</summary>
    public IReadOnlyList<PlacedBlock> Readable(TextWriter error)
    {
        var readable = new List<PlacedBlock>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var block in Blocks.Where(b => b.IsWhole))
        {
            if (seen.Add(block.Ulid))
            {
                readable.Add(block);
            }
        }

        foreach (var block in Blocks.Where(b => !b.IsWhole && !seen.Contains(b.Ulid)))
        {
            error.WriteLine($"metrics: {block.Name} has no {BlockMeta.FileName}, so it is no whole block, and was left out");
        }

        return readable;
    }

    /// <summary>Opens blocks, oldest first; they stay open until the result is disposed.</summary>
    /// <exception cref="InvalidDataException">One is damaged.</exception>
    public static async Task<OpenBlocks> OpenAsync(IEnumerable<PlacedBlock> blocks, CancellationToken stop)
    {
        var open = new OpenBlocks();
        try
        {
            foreach (var block in blocks)
            {
                open.Add(BlockReader.Open(await block.FetchAsync(stop)));
            }

            return open;
        }
        catch
        {
            open.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (scratch is not null && Directory.Exists(scratch))
        {
            Directory.Delete(scratch, recursive: true);
        }

        if (store is not null)
        {
            await store.DisposeAsync();
        }
    }

    // Up to and with the part of a key that is a block's name.
    private static string? FolderOf(string key)
    {
        var start = 0;
        for (var end = key.IndexOf('/'); end >= 0; end = key.IndexOf('/', start))
        {
            if (Ulid.TryParse(key.AsSpan(start, end - start), out _))
            {
                return key[..end];
            }

            start = end + 1;
        }

        return null;
    }
}

/// <summary>Readers of blocks, oldest first.</summary>
internal sealed class OpenBlocks : IDisposable
{
    private readonly List<BlockReader> blocks = [];

    /// <summary>The blocks.</summary>
    public IReadOnlyList<BlockReader> Blocks => blocks;

    /// <summary>Takes a reader over.</summary>
    public void Add(BlockReader block)
    {
        blocks.Add(block);
        blocks.Sort((a, b) => (a.Meta.MinTime, a.Meta.Ulid).CompareTo((b.Meta.MinTime, b.Meta.Ulid)));
    }

    /// <inheritdoc/>
    public void Dispose() => blocks.ForEach(b => b.Dispose());
}
