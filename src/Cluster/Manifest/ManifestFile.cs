using System.Security.Cryptography;
using Metrics.Model;
using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>One owner's hold on the manifest of its shard: reads it, raises the epoch, swaps, and keeps a copy beside the log.</summary>
/// <remarks>
/// The copy lets a shard open, replay and take writes while the store is away; nothing is published until the store has answered and the epoch is raised (<see cref="SyncAsync"/>).
/// It is never older than what the log needs, because the log is truncated only after the copy is written.
/// A swap whose answer is lost leaves its outcome open: the next one reads first, and knows its own hand by <see cref="ShardManifest.Owner"/>. Swaps take turns; <see cref="Current"/>
/// may be read from any thread.
/// </remarks>
internal sealed class ManifestFile
{
    /// <summary>The name of the copy.</summary>
    public const string CopyName = "manifest.json";

    /// <summary>The largest manifest read: a hundred thousand blocks.</summary>
    private const int MaxBytes = 256 * 1024 * 1024;

    private readonly IObjectStore store;
    private readonly ShardId shard;
    private readonly string? copyPath;
    private readonly string owner;
    private readonly Turns turns = new();
    private ObjectVersion? version;
    private volatile ShardManifest current;
    private bool synced;

    private ManifestFile(IObjectStore store, ShardId shard, string? copyPath, string owner, ShardManifest current)
    {
        this.store = store;
        this.shard = shard;
        this.owner = owner;
        this.copyPath = copyPath;
        this.current = current;
    }

    /// <summary>Names this opening.</summary>
    public string Owner => owner;

    /// <summary>The manifest as last read or swapped.</summary>
    public ShardManifest Current => current;

    /// <summary>True when a manifest was read, from the copy or from the store: before, nobody can say what the shard holds.</summary>
    public bool IsKnown => current.Epoch > 0;

    /// <summary>True when the store has answered and this owner's epoch is the highest.</summary>
    public bool IsSynced => Volatile.Read(ref synced);

    /// <summary>Reads the copy in the shard's folder; without one, or when it is damaged, an empty manifest that is not known yet. Does not touch the store.</summary>
    public static ManifestFile Open(IObjectStore store, ShardId shard, string folder, Action<string> report)
    {
        var path = Path.Combine(folder, CopyName);
        return new ManifestFile(store, shard, path, NewOwner(), Copy(path, report) ?? Unknown(shard));
    }

    /// <summary>For a shard with a replicated log, which can't be opened without the store anyway: no copy is kept. Does not touch the store.</summary>
    /// <param name="store">Where the manifest is.</param>
    /// <param name="shard">Whose.</param>
    /// <param name="owner">Names this opening, and no other one ever; null for a name at random.</param>
    public static ManifestFile Open(IObjectStore store, ShardId shard, string? owner = null) => new(store, shard, copyPath: null, owner ?? NewOwner(), Unknown(shard));

    /// <summary>The manifest as it is in the store, for readers that own nothing; null when there is none.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="InvalidDataException">It is no manifest.</exception>
    public static async ValueTask<ShardManifest?> PeekAsync(IObjectStore store, ShardId shard, CancellationToken cancellation) =>
        await store.GetAsync(BucketKeys.Manifest(shard), MaxBytes, cancellation) is { } stored
            ? ShardManifest.Read(stored.Content, $"{store.Name}: {BucketKeys.Manifest(shard)}")
            : null;

    /// <summary>The manifest as it is in the store, and its version; nulls when there is none.</summary>
    /// <exception cref="ObjectStoreException">The store failed.</exception>
    /// <exception cref="InvalidDataException">It is no manifest.</exception>
    public static async ValueTask<(ShardManifest? Manifest, ObjectVersion? Version)> StoredAsync(IObjectStore store, ShardId shard, CancellationToken cancellation) =>
        await store.GetAsync(BucketKeys.Manifest(shard), MaxBytes, cancellation) is { } stored
            ? (ShardManifest.Read(stored.Content, $"{store.Name}: {BucketKeys.Manifest(shard)}"), stored.Version)
            : (null, null);

    /// <summary>Replaces the manifest of a shard that nobody owns, or begins it; false when it is not the one that was read.</summary>
    /// <exception cref="ObjectStoreException">The store failed; it may or may not have happened.</exception>
    public static async ValueTask<bool> TryReplaceAsync(IObjectStore store, ShardId shard, ShardManifest next, ObjectVersion? version, CancellationToken cancellation)
    {
        try
        {
            await store.PutAsync(BucketKeys.Manifest(shard), next.ToJson(), version is { } seen ? PutCondition.Unchanged(seen) : PutCondition.Absent, cancellation);
            return true;
        }
        catch (ConditionFailedException)
        {
            return false;
        }
    }

    /// <summary>Reads the store's manifest if it was not read since the last failure, and makes this owner's epoch the highest.</summary>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="ObjectStoreException">The store failed; call again.</exception>
    public async ValueTask SyncAsync(CancellationToken cancellation)
    {
        using var turn = await turns.TakeAsync();
        await SyncInTurnAsync(cancellation);
    }

    private async ValueTask SyncInTurnAsync(CancellationToken cancellation)
    {
        if (IsSynced)
        {
            return;
        }

        var stored = await store.GetAsync(BucketKeys.Manifest(shard), MaxBytes, cancellation);
        version = stored?.Version;
        if (stored is not null)
        {
            Adopt(ShardManifest.Read(stored.Content, $"{store.Name}: {BucketKeys.Manifest(shard)}"));
        }

        // Set before the put: when its answer is lost, the next call finds our name and goes on.
        if (current.Owner != owner || stored is null)
        {
            await PutAsync(current with { Owner = owner, Epoch = current.Epoch + 1, HashRange = shard.Range.ToString() }, cancellation);
        }

        Volatile.Write(ref synced, true);
    }

    /// <summary>Replaces the manifest by a changed one; gives what is now in force. A change that gives back what it got costs nothing.</summary>
    /// <exception cref="EpochLostException">A later owner has the shard; nothing was changed.</exception>
    /// <exception cref="ObjectStoreException">The store failed; the swap may or may not have happened, and the next call finds out.</exception>
    public async ValueTask<ShardManifest> SwapAsync(Func<ShardManifest, ShardManifest> change, CancellationToken cancellation)
    {
        using var turn = await turns.TakeAsync();
        try
        {
            return await SwapInTurnAsync(change, cancellation);
        }
        catch (ObjectStoreException e) when (e.InnerException is ConditionFailedException)
        {
            // Most likely a put of ours that was repeated below, because its first answer was lost or late: read again, it is found out at once.
            return await SwapInTurnAsync(change, cancellation);
        }
    }

    private async ValueTask<ShardManifest> SwapInTurnAsync(Func<ShardManifest, ShardManifest> change, CancellationToken cancellation)
    {
        await SyncInTurnAsync(cancellation);
        var next = change(current);
        if (!ReferenceEquals(next, current))
        {
            await PutAsync(next, cancellation);
        }

        return current;
    }

    private static string NewOwner() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private static ShardManifest Unknown(ShardId shard) => new() { Epoch = 0, Owner = "", HashRange = shard.Range.ToString() };

    private static ShardManifest? Copy(string path, Action<string> report)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            return ShardManifest.Read(File.ReadAllBytes(path), path);
        }
        catch (InvalidDataException e)
        {
            report($"the copy of the manifest is damaged, and the one in object storage is read instead: {e.Message}");
            return null;
        }
    }

    private async ValueTask PutAsync(ShardManifest next, CancellationToken cancellation)
    {
        try
        {
            var condition = version is { } seen ? PutCondition.Unchanged(seen) : PutCondition.Absent;
            version = await store.PutAsync(BucketKeys.Manifest(shard), next.ToJson(), condition, cancellation);
        }
        catch (ConditionFailedException e)
        {
            Volatile.Write(ref synced, false);

            // Either another owner was here, or an earlier put of ours took effect though it seemed to fail: SyncAsync tells the two apart.
            throw new ObjectStoreException($"the manifest of shard {shard} is not the one last read; it will be read again: {e.Message}", e);
        }
        catch
        {
            Volatile.Write(ref synced, false);
            throw;
        }

        Keep(next);
    }

    private void Adopt(ShardManifest stored)
    {
        // Our epoch was raised and is no longer the highest: somebody else is the owner now.
        if (current.Owner == owner && stored.Owner != owner)
        {
            throw new EpochLostException(shard, current.Epoch, stored.Epoch);
        }

        Keep(stored);
    }

    private void Keep(ShardManifest next)
    {
        current = next;
        if (copyPath is not null)
        {
            DurableFile.Replace(copyPath, next.ToJson());
        }
    }
}

/// <summary>Another owner has taken the shard: this one publishes and acknowledges nothing more.</summary>
public sealed class EpochLostException(ShardId shard, long held, long seen)
    : Exception($"shard {shard} was taken over by another owner: epoch {held} was held here, {seen} is in force");
