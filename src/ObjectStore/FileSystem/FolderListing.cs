namespace Metrics.ObjectStore;

/// <summary>The objects and folders right below one folder of a store.</summary>
internal sealed class FolderListing
{
    /// <summary>Holds what is no object: temporary files and locks.</summary>
    public const string PrivateFolder = ".store";

    /// <summary>What some file systems keep at their root for repairs, readable by nobody.</summary>
    private const string RepairFolder = "lost+found";

    private static readonly EnumerationOptions everything = new() { AttributesToSkip = default, IgnoreInaccessible = false };

    public List<ObjectInfo> Files { get; } = [];

    public List<string> Folders { get; } = [];

    public static bool IsPrivate(ReadOnlySpan<char> key) =>
        key.StartsWith(PrivateFolder, StringComparison.OrdinalIgnoreCase) && (key.Length == PrivateFolder.Length || key[PrivateFolder.Length] == '/');

    /// <summary>Reads a folder; nothing when there is none. Names that are no keys are not objects and left out.</summary>
    public static FolderListing Read(string root, string prefix)
    {
        var listing = new FolderListing();
        if (IsPrivate(prefix))
        {
            return listing;
        }

        try
        {
            foreach (var entry in new DirectoryInfo(Path.Combine(root, prefix)).EnumerateFileSystemInfos("*", everything))
            {
                listing.Add(prefix, entry);
            }
        }
        catch (DirectoryNotFoundException)
        {
            // None there, or its last object was deleted while we were on the way.
        }
        catch (IOException) when (!Directory.Exists(Path.Combine(root, prefix)))
        {
            // An object of that name, or gone while being read.
        }

        return listing;
    }

    private void Add(string prefix, FileSystemInfo entry)
    {
        var key = prefix + entry.Name;
        if (ObjectKey.Problem(key) is not null || (prefix.Length == 0 && (IsPrivate(key) || entry.Name == RepairFolder)))
        {
            return;
        }

        // What an operator linked here counts as what the link leads to.
        if (entry.LinkTarget is not null)
        {
            if (entry.ResolveLinkTarget(returnFinalTarget: true) is not { Exists: true } target)
            {
                return;
            }

            entry = target;
        }

        if (entry is DirectoryInfo)
        {
            Folders.Add(key[prefix.Length..]);
        }
        else if (entry is FileInfo { Exists: true } file)
        {
            Files.Add(new ObjectInfo(key, file.Length, new DateTimeOffset(file.LastWriteTimeUtc)));
        }
    }
}
