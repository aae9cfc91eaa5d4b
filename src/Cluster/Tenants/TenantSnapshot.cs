using System.Globalization;
using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Copies of all blocks of a tenant, in a folder of this machine.</summary>
public static class TenantSnapshot
{
    /// <summary>Copies the blocks of all shards into a new folder below <c>snapshots</c> of a tenant's folder, which has its name only when all is in it; gives the name.</summary>
    /// <param name="dataDirectory">The data directory of this process; made if it is not there.</param>
    /// <param name="tenant">Whose; its shards may be here or elsewhere.</param>
    /// <param name="skipHead">Leaves out what is not in blocks yet.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ShardUnavailableException">A block can't be read, or the folder can't be written.</exception>
    public static async ValueTask<string> TakeAsync(string dataDirectory, ITenant tenant, bool skipHead, TimeProvider time, CancellationToken cancellation)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow().UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{RandomNumberGenerator.GetHexString(16, lowercase: true)}");
        var snapshots = Path.Combine(Path.GetFullPath(dataDirectory), "tenants", tenant.Id.Value, "snapshots");
        var unfinished = Path.Combine(snapshots, name + ".tmp");
        try
        {
            Directory.CreateDirectory(unfinished);
            await tenant.AskAsync(
                async shards =>
                {
                    // Again from the beginning after a split: what the parent has copied, the children have too.
                    Directory.Delete(unfinished, recursive: true);
                    Directory.CreateDirectory(unfinished);
                    await Task.WhenAll(shards.Select(s => s.SnapshotAsync(unfinished, skipHead, cancellation).AsTask()));
                    return true;
                },
                cancellation);
            Directory.Move(unfinished, Path.Combine(snapshots, name));
            DurableFile.FlushFolder(snapshots);
            return name;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Drop(unfinished);
            throw new ShardUnavailableException(new ShardId(tenant.Id, HashRange.Everything), $"a snapshot can't be written: {e.Message}", e);
        }
        catch
        {
            Drop(unfinished);
            throw;
        }
    }

    private static void Drop(string unfinished)
    {
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }
    }
}
