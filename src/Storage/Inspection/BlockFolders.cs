namespace Metrics.Storage;

/// <summary>Finds blocks in folders of all kinds.</summary>
public static class BlockFolders
{
    /// <summary>How deep blocks may lie: <c>tenants/T/shards/S/blocks/ULID</c> below a data directory is five.</summary>
    private const int MaxDepth = 6;

    /// <summary>
    /// The directories of blocks at a path, ordered by name: the path itself when it is a block, else every directory below it that is named by a ULID —
    /// those of a Prometheus data directory, of our own, or of a bucket in a local folder. Unfinished and damaged blocks have other names and are left out.
    /// </summary>
    /// <exception cref="DirectoryNotFoundException">The path is no directory.</exception>
    public static IReadOnlyList<string> Find(string path)
    {
        if (!Directory.Exists(path))
        {
            throw new DirectoryNotFoundException($"{path} is no directory");
        }

        if (IsNamedAsBlock(path) || File.Exists(Path.Combine(path, BlockMeta.FileName)))
        {
            return [Path.TrimEndingDirectorySeparator(path)];
        }

        var found = new List<string>();
        Walk(path, MaxDepth, found);
        found.Sort((a, b) => string.CompareOrdinal(Path.GetFileName(a), Path.GetFileName(b)));
        return found;
    }

    private static void Walk(string path, int depth, List<string> found)
    {
        foreach (var folder in new DirectoryInfo(path).EnumerateDirectories())
        {
            if (IsNamedAsBlock(folder.Name))
            {
                found.Add(folder.FullName);
            }
            else if (depth > 1 && folder.LinkTarget is null)
            {
                Walk(folder.FullName, depth - 1, found);
            }
        }
    }

    private static bool IsNamedAsBlock(string path) => Ulid.TryParse(Path.GetFileName(Path.TrimEndingDirectorySeparator(path)), out _);
}
