using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>The blocks of a place, open for reading, oldest first.</summary>
internal sealed class OpenBlocks : IDisposable
{
    private readonly List<BlockReader> blocks = [];

    private OpenBlocks()
    {
    }

    /// <summary>The blocks.</summary>
    public IReadOnlyList<BlockReader> Blocks => blocks;

    /// <summary>The folders of the blocks at a place; none is an error.</summary>
    /// <exception cref="CommandException">There is no block.</exception>
    public static IReadOnlyList<string> Folders(string place)
    {
        var folders = BlockFolders.Find(place);
        return folders.Count > 0 ? folders : throw new CommandException(ExitCode.Failure, $"no block lies in {place}");
    }

    /// <summary>Opens the blocks at a place; by name when one is given.</summary>
    /// <exception cref="CommandException">There is no such block.</exception>
    /// <exception cref="InvalidDataException">A block is damaged.</exception>
    public static OpenBlocks Open(string place, string? ulid = null)
    {
        var open = new OpenBlocks();
        try
        {
            foreach (var folder in Folders(place))
            {
                if (ulid is null || Path.GetFileName(folder).Equals(ulid, StringComparison.OrdinalIgnoreCase))
                {
                    open.blocks.Add(BlockReader.Open(folder));
                }
            }
        }
        catch
        {
            open.Dispose();
            throw;
        }

        if (open.blocks.Count == 0)
        {
            throw new CommandException(ExitCode.Failure, $"no block {ulid} lies in {place}");
        }

        open.blocks.Sort((a, b) => (a.Meta.MinTime, a.Meta.Ulid).CompareTo((b.Meta.MinTime, b.Meta.Ulid)));
        return open;
    }

    /// <inheritdoc/>
    public void Dispose() => blocks.ForEach(b => b.Dispose());
}
