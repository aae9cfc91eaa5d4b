using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>The folder that holds everything of a single process, owned by one process at a time. Drawn in LAYOUT.md.</summary>
internal sealed class DataDirectory : IDisposable
{
    /// <summary>Ends the names of folders of shards that are being removed.</summary>
    public const string DoomedSuffix = ".gone";

    private readonly FileStream held;

    private DataDirectory(string path, FileStream held)
    {
        Path = path;
        this.held = held;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Where blocks lie when there is no other object storage.</summary>
    public string Bucket => System.IO.Path.Combine(Path, "bucket");

    /// <summary>Where what was read of blocks in other object storage is kept.</summary>
    public string Cache => System.IO.Path.Combine(Path, "cache");

    /// <summary>Where replicas of shards' logs lie.</summary>
    public string Replicas => System.IO.Path.Combine(Path, "replicas");

    private string Tenants => System.IO.Path.Combine(Path, "tenants");

    /// <summary>Makes the folder if need be and takes its lock, which the operating system drops when the process ends in whatever way.</summary>
    /// <exception cref="DataDirectoryInUseException">Another process, or another cluster of this one, holds the lock.</exception>
    public static DataDirectory Take(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        Directory.CreateDirectory(System.IO.Path.Combine(full, "tenants"));
        var lockPath = System.IO.Path.Combine(full, "LOCK");
        try
        {
            // FileShare.None is an flock on Unix, which holds between processes and within one.
            return new DataDirectory(full, new FileStream(lockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException or PathTooLongException))
        {
            throw new DataDirectoryInUseException(full, e);
        }
    }

    /// <summary>Where a tenant's files lie.</summary>
    public string FolderOf(TenantId tenant) => System.IO.Path.Combine(Tenants, tenant.Value);

    /// <summary>Where a shard's files lie below a data directory.</summary>
    public static string FolderOf(string dataDirectory, ShardId shard) =>
        System.IO.Path.Combine(System.IO.Path.GetFullPath(dataDirectory), "tenants", shard.Tenant.Value, "shards", shard.Range.ToString());

    /// <summary>The node that this folder is: drawn at the first call, and kept.</summary>
    /// <exception cref="InvalidDataException">The file does not hold a name.</exception>
    public NodeId Node()
    {
        var path = System.IO.Path.Combine(Path, "node");
        if (!File.Exists(path))
        {
            DurableFile.Replace(path, System.Text.Encoding.ASCII.GetBytes(System.Security.Cryptography.RandomNumberGenerator.GetHexString(16, lowercase: true)));
        }

        var name = File.ReadAllText(path).Trim();
        return name.Length is > 0 and <= 64 && name.All(char.IsAsciiLetterOrDigit) ? new NodeId(name) : throw new InvalidDataException($"{path} does not hold a node's name, 1 to 64 letters and digits");
    }

    /// <summary>Where a shard's files lie.</summary>
    public string FolderOf(ShardId shard) => FolderOf(Path, shard);

    /// <summary>Tenants that were made: those whose shard map was written.</summary>
    public IEnumerable<TenantId> ExistingTenants()
    {
        foreach (var folder in Directory.EnumerateDirectories(Tenants))
        {
            if (TenantId.TryParse(System.IO.Path.GetFileName(folder), out var id, out _) && Exists(id))
            {
                yield return id;
            }
        }
    }

    /// <summary>True when the tenant was made.</summary>
    public bool Exists(TenantId tenant) => File.Exists(System.IO.Path.Combine(FolderOf(tenant), ShardMap.FileName));

    /// <summary>Removes all of a tenant; after a crash half way it is no tenant any more, and what is left goes with the next call.</summary>
    public void Delete(TenantId tenant)
    {
        var folder = FolderOf(tenant);
        if (Directory.Exists(folder))
        {
            File.Delete(System.IO.Path.Combine(folder, ShardMap.FileName));
            DurableFile.FlushFolder(folder);
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Lets the folder go.</summary>
    public void Dispose() => held.Dispose();
}

/// <summary>Another process works in the data directory.</summary>
public sealed class DataDirectoryInUseException(string path, Exception cause)
    : Exception($"data directory {path} is in use by another process (its LOCK file is held): stop that process or choose another directory; {cause.Message}", cause);
