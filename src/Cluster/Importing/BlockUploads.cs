using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Brings blocks of Prometheus, Thanos, Mimir and others into tenants of a running cluster, file by file and then as a whole.</summary>
/// <remarks>
/// <code>
///   begin ─► files ─► finish ─► checked and split by hash range ─► parts in the bucket ─► each adopted by its shard ─► complete
/// </code>
/// Files wait in object storage (<see cref="UploadPlace"/>), so that any gateway may take any of them and a restart loses none. A block whose bytes are wrong leaves nothing: it is read whole before the first part
/// is adopted. Taking one in again changes nothing: its parts have the same names, and equal samples are one. One block at a time is taken in by a process; others wait. Thread-safe.
/// </remarks>
public sealed class BlockUploads : IAsyncDisposable
{
    /// <summary>Blocks that may wait to be taken in.</summary>
    public const int WaitingMax = 64;

    /// <summary>Files that are taken at a time; each is a file on this machine until it is in object storage.</summary>
    private const int FilesAtOnce = 8;

    private const int Attempts = 8;
    private static readonly TimeSpan AttemptDelay = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan HeartbeatEvery = TimeSpan.FromMinutes(1);

    /// <summary>Whoever takes a block in and says nothing for so long has died.</summary>
    private static readonly TimeSpan SilentFor = TimeSpan.FromMinutes(5);

    /// <summary>How long uploads that nobody goes on with, and the outcomes of others, are kept.</summary>
    private static readonly TimeSpan KeptFor = TimeSpan.FromDays(1);

    private readonly ICluster cluster;
    private readonly IObjectStore store;
    private readonly string scratch;
    private readonly TimeProvider time;
    private readonly Action<TenantId, Ulid, UploadState> ended;
    private readonly SemaphoreSlim importing = new(1, 1);
    private readonly SemaphoreSlim places = new(FilesAtOnce);
    private readonly CancellationTokenSource stopping = new();
    private readonly Dictionary<(TenantId, Ulid), Task> running = [];

    /// <summary>Makes it.</summary>
    /// <param name="cluster">Whose tenants; it has object storage.</param>
    /// <param name="scratch">A folder of this process for files on their way; emptied now.</param>
    /// <param name="time">The clock.</param>
    /// <param name="ended">Is told what became of a block that this process took in.</param>
    public BlockUploads(ICluster cluster, string scratch, TimeProvider time, Action<TenantId, Ulid, UploadState> ended)
    {
        this.cluster = cluster;
        store = cluster.Objects ?? throw new ArgumentException("the cluster has no object storage", nameof(cluster));
        this.scratch = scratch;
        this.time = time;
        this.ended = ended;
        if (Directory.Exists(scratch))
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    /// <summary>How far an upload is.</summary>
    /// <exception cref="IOException">Object storage can't say.</exception>
    public async Task<UploadState> StateAsync(TenantId tenant, Ulid ulid, CancellationToken cancellation)
    {
        var place = new UploadPlace(store, tenant, ulid);
        if (await place.FindOutcomeAsync(cancellation) is { } outcome && !(outcome.Stage == UploadStage.Validating && IsSilent(outcome)))
        {
            return new UploadState(outcome.Stage, outcome.Error);
        }

        return new UploadState(await place.FindMetaAsync(cancellation) is null ? UploadStage.None : UploadStage.Uploading);
    }

    /// <summary>Begins an upload, or begins one anew that has failed or was left.</summary>
    /// <param name="tenant">Whose block it will be.</param>
    /// <param name="meta">Its <c>meta.json</c>, with the files that are to come and their sizes.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="InvalidDataException">The description announces files that no block has, or lacks those that each has.</exception>
    /// <exception cref="IOException">Object storage failed.</exception>
    public async Task BeginAsync(TenantId tenant, BlockMeta meta, CancellationToken cancellation)
    {
        var files = UploadPlace.FilesOf(meta).ToList();
        if (files.Find(f => f.RelPath is null || !UploadPlace.IsFile(f.RelPath) || f.SizeBytes is null or <= 0) is { } wrong)
        {
            throw new InvalidDataException($"thanos.files: \"{wrong.RelPath}\" of {wrong.SizeBytes?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "unknown"} bytes is no file of a block");
        }

        if (files.DistinctBy(f => f.RelPath, StringComparer.Ordinal).Count() != files.Count || !files.Exists(f => f.RelPath == BlockReader.IndexFileName))
        {
            throw new InvalidDataException("thanos.files must have index, and each file once, with its size");
        }

        if (meta.MinTime >= meta.MaxTime)
        {
            throw new InvalidDataException($"minTime {meta.MinTime} is not before maxTime {meta.MaxTime}");
        }

        await SweepAsync(tenant, cancellation);
        await new UploadPlace(store, tenant, meta.Ulid).BeginAsync(meta, cancellation);
    }

    /// <summary>The size that a file of an upload must have; null when it was not announced.</summary>
    /// <exception cref="IOException">Object storage failed.</exception>
    public async Task<long?> SizeAsync(TenantId tenant, Ulid ulid, string path, CancellationToken cancellation) =>
        await new UploadPlace(store, tenant, ulid).FindMetaAsync(cancellation) is { } meta ? UploadPlace.FilesOf(meta).FirstOrDefault(f => f.RelPath == path)?.SizeBytes : null;

    /// <summary>Keeps a file of an upload.</summary>
    /// <exception cref="InvalidDataException">It is longer or shorter than it must be.</exception>
    /// <exception cref="IOException">Object storage, this process's disk or the sender failed.</exception>
    public async Task PutAsync(TenantId tenant, Ulid ulid, string path, long bytes, Stream content, CancellationToken cancellation)
    {
        var local = NewScratch();
        await places.WaitAsync(cancellation);
        try
        {
            Directory.CreateDirectory(scratch);
            await using (var file = new FileStream(local, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                var buffer = new byte[128 * 1024];
                long length = 0;
                for (var read = await content.ReadAsync(buffer, cancellation); read > 0; read = await content.ReadAsync(buffer, cancellation))
                {
                    length += read;
                    if (length > bytes)
                    {
                        break;
                    }

                    await file.WriteAsync(buffer.AsMemory(0, read), cancellation);
                }

                if (length != bytes)
                {
                    throw new InvalidDataException($"{path} must have {bytes} bytes, as meta.json says");
                }

                file.Flush(flushToDisk: true);
            }

            await new UploadPlace(store, tenant, ulid).PutAsync(path, local, cancellation);
        }
        finally
        {
            places.Release();
            File.Delete(local);
        }
    }

    /// <summary>Takes the block in, behind; <see cref="StateAsync"/> tells how far that is. False when too many wait.</summary>
    /// <exception cref="InvalidDataException">Files are missing.</exception>
    /// <exception cref="IOException">Object storage failed.</exception>
    public async Task<bool> FinishAsync(TenantId tenant, Ulid ulid, CancellationToken cancellation)
    {
        var place = new UploadPlace(store, tenant, ulid);
        var meta = await place.FindMetaAsync(cancellation) ?? throw new InvalidDataException("block upload not started");
        if (await place.MissingAsync(meta, cancellation) is { Count: > 0 } missing)
        {
            throw new InvalidDataException($"missing or short: {string.Join(", ", missing)}");
        }

        lock (running)
        {
            if (running.ContainsKey((tenant, ulid)))
            {
                return true;
            }

            if (running.Count >= WaitingMax)
            {
                return false;
            }

            running[(tenant, ulid)] = Task.CompletedTask;
        }

        try
        {
            await place.SetOutcomeAsync(new UploadOutcome(UploadStage.Validating, NowMs), cancellation);
        }
        catch
        {
            Forget(tenant, ulid);
            throw;
        }

        lock (running)
        {
            running[(tenant, ulid)] = Task.Run(() => ImportAsync(place, tenant, ulid, meta), CancellationToken.None);
        }

        return true;
    }

    /// <summary>Stops what is under way; it can be finished anew, and is where it was.</summary>
    public async ValueTask DisposeAsync()
    {
        if (stopping.IsCancellationRequested)
        {
            return;
        }

        await stopping.CancelAsync();
        Task[] all;
        lock (running)
        {
            all = [.. running.Values];
        }

        await Task.WhenAll(all);
        if (Directory.Exists(scratch))
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private long NowMs => time.GetUtcNow().ToUnixTimeMilliseconds();

    private bool IsSilent(UploadOutcome outcome) => NowMs - outcome.AtMs > SilentFor.TotalMilliseconds;

    private string NewScratch() => Path.Combine(scratch, Path.GetRandomFileName());

    private void Forget(TenantId tenant, Ulid ulid)
    {
        lock (running)
        {
            running.Remove((tenant, ulid));
        }
    }

    private async Task ImportAsync(UploadPlace place, TenantId tenant, Ulid ulid, BlockMeta meta)
    {
        using var timer = new PeriodicTimer(HeartbeatEvery, time);
        var beating = BeatAsync(place, timer);
        try
        {
            await importing.WaitAsync(stopping.Token);
            UploadState state;
            try
            {
                state = await TryImportAsync(place, tenant, meta);
            }
            finally
            {
                importing.Release();
            }

            timer.Dispose();
            await beating;
            try
            {
                await place.RemoveFilesAsync(stopping.Token);
            }
            catch (ObjectStoreException)
            {
                // What is left of them goes with the outcome, a day from now.
            }

            ended(tenant, ulid, state);
            await place.SetOutcomeAsync(new UploadOutcome(state.Stage, NowMs, state.Error), stopping.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The process stops, or object storage is away for long: whoever waits sees the upload fall silent, and finishes it anew.
            ended(tenant, ulid, new UploadState(UploadStage.Uploading, e.Message));
        }
        finally
        {
            timer.Dispose();
            await beating;
            Forget(tenant, ulid);
        }
    }

    /// <summary>Renews the note that the block is being taken in, so that nobody else does.</summary>
    private async Task BeatAsync(UploadPlace place, PeriodicTimer timer)
    {
        while (await timer.WaitForNextTickAsync())
        {
            try
            {
                await place.SetOutcomeAsync(new UploadOutcome(UploadStage.Validating, NowMs), stopping.Token);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The next may go through; somebody who takes it in beside us does no harm.
            }
        }
    }

    private async Task<UploadState> TryImportAsync(UploadPlace place, TenantId tenant, BlockMeta meta)
    {
        for (var attempt = 1; ; attempt++)
        {
            var folder = NewScratch();
            try
            {
                var block = Path.Combine(folder, meta.Ulid.ToString());
                Directory.CreateDirectory(block);
                await place.FetchAsync(meta, block, stopping.Token);
                using var reader = BlockReader.Open(block);
                var opened = await cluster.OpenTenantAsync(tenant, stopping.Token);
                return await opened.AskAsync(
                    async shards =>
                    {
                        await ImportAsync(reader, shards, Path.Combine(folder, "parts"));
                        return new UploadState(UploadStage.Complete);
                    },
                    stopping.Token);
            }
            catch (InvalidDataException e)
            {
                return new UploadState(UploadStage.Failed, e.Message.Replace(folder + Path.DirectorySeparatorChar, ""));
            }
            catch (Exception e) when (e is IOException or ShardUnavailableException)
            {
                if (attempt == Attempts)
                {
                    return new UploadState(UploadStage.Failed, e.Message);
                }
            }
            finally
            {
                if (Directory.Exists(folder))
                {
                    Directory.Delete(folder, recursive: true);
                }
            }

            await Task.Delay(AttemptDelay * attempt, time, stopping.Token);
        }
    }

    /// <summary>Splits the block by the shards' ranges, brings the parts up, and has them adopted once all are there.</summary>
    private async Task ImportAsync(BlockReader block, IReadOnlyList<IShard> shards, string folder)
    {
        var parts = new List<(IShard Shard, Ulid Ulid)>();
        using var split = new BlockSplit(block, [.. shards.Select(s => s.Id.Range)], ImportedPart.ExternalLabels(block.Meta, isKept: true), stopping.Token);
        for (var i = 0; i < shards.Count; i++)
        {
            Directory.CreateDirectory(folder);
            var description = ImportedPart.Description(block.Meta, shards[i].Id);
            if (split.Write(i, folder, description, stopping.Token) is { } meta)
            {
                await BlockPut.RunAsync(store, shards[i].Id, ManifestBlock.Of(Path.Combine(folder, meta.Ulid.ToString()), meta), Path.Combine(folder, meta.Ulid.ToString()), static _ => { }, stopping.Token);
                parts.Add((shards[i], meta.Ulid));
            }

            Directory.Delete(folder, recursive: true);
        }

        foreach (var (shard, ulid) in parts)
        {
            await shard.AdoptAsync(ulid, stopping.Token);
        }
    }

    /// <summary>Forgets uploads of the tenant that were left long ago, and what became of others.</summary>
    private async Task SweepAsync(TenantId tenant, CancellationToken cancellation)
    {
        var newest = new Dictionary<string, (DateTimeOffset At, List<string> Keys)>(StringComparer.Ordinal);
        var prefix = UploadPlace.Folder(tenant);
        await foreach (var file in store.ListAsync(prefix, cancellation))
        {
            var slash = file.Key.IndexOf('/', prefix.Length);
            var name = slash < 0 ? file.Key : file.Key[..slash];
            var (at, keys) = newest.TryGetValue(name, out var known) ? known : (DateTimeOffset.MinValue, []);
            keys.Add(file.Key);
            newest[name] = (file.ModifiedAt > at ? file.ModifiedAt : at, keys);
        }

        foreach (var (_, keys) in newest.Values.Where(u => time.GetUtcNow() - u.At > KeptFor))
        {
            foreach (var key in keys)
            {
                await store.DeleteAsync(key, cancellation);
            }
        }
    }
}
