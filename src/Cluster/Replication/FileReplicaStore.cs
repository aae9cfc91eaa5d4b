using System.Text.Json;
using System.Text.Json.Serialization;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Keeps a replica in a folder: its log and what is behind it as shard logs, its state as one small file.</summary>
/// <remarks>
/// <code>
///   state.json    what was promised, and which epoch wrote which records
///   log/          segments (../../Storage/Log/FORMAT.md)
///   behind/       the same, of older records that are still being copied; its segments move into log/, the last one first, when they reach it
/// </code>
/// </remarks>
internal sealed class FileReplicaStore : IReplicaStore
{
    private const string StateName = "state.json";

    private readonly string folder;
    private readonly LogOptions options;
    private readonly TimeProvider time;
    private readonly Action<string> report;
    private ShardLog log;
    private ShardLog? behind;
    private StoredState stored;

    private FileReplicaStore(string folder, LogOptions options, TimeProvider time, Action<string> report)
    {
        this.folder = folder;
        this.options = options;
        this.time = time;
        this.report = report;
        Directory.CreateDirectory(folder);
        stored = StoredState.Read(Path.Combine(folder, StateName));
        behind = Directory.Exists(BehindFolder) ? Open(BehindFolder, 0) : null;
        log = Open(LogFolder, stored.LogBegin);
        First = log.FirstRecord;
        BehindFirst = behind?.FirstRecord ?? 0;
        if (options.Fsync == FsyncPolicy.Always)
        {
            // What the process before wrote, and died before it was synced, is counted from now on as held.
            log.SyncFile();
            behind?.SyncFile();
        }

        OpenedDamaged = HasDamage(LogFolder) || HasDamage(BehindFolder);
    }

    /// <inheritdoc/>
    public ReplicaState State => stored.State;

    /// <inheritdoc/>
    public long First { get; private set; }

    /// <inheritdoc/>
    public long Next => log.NextRecord;

    /// <inheritdoc/>
    public long BehindFirst { get; private set; }

    /// <inheritdoc/>
    public long BehindNext => behind?.NextRecord ?? BehindFirst;

    /// <inheritdoc/>
    public bool OpenedDamaged { get; }

    private string LogFolder => Path.Combine(folder, "log");

    private string BehindFolder => Path.Combine(folder, "behind");

    /// <summary>Opens the store in a folder, which is made if it is not there.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static async ValueTask<FileReplicaStore> OpenAsync(string folder, LogOptions options, TimeProvider time, Action<string> report)
    {
        var opened = new FileReplicaStore(folder, options, time, report);
        if (opened.behind is not null && opened.BehindNext == opened.First)
        {
            await opened.JoinBehindAsync(); // A crash came between.
        }

        return opened;
    }

    /// <inheritdoc/>
    public ValueTask SaveAsync(ReplicaState state)
    {
        Save(stored with { State = state });
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask AppendAsync(long first, int count, ReadOnlyMemory<byte> frames, bool behind)
    {
        if (!behind)
        {
            log.AppendFrames(frames.Span, count);
            await log.WaitDurableAsync(first + count - 1);
            return;
        }

        if (this.behind is null || BehindNext == BehindFirst)
        {
            await DropBehindAsync();
            this.behind = Open(BehindFolder, first);
            BehindFirst = first;
        }

        this.behind.AppendFrames(frames.Span, count);
        await this.behind.WaitDurableAsync(first + count - 1);
        if (BehindNext == First)
        {
            await JoinBehindAsync();
        }
    }

    /// <inheritdoc/>
    public ValueTask TruncateFromAsync(long number)
    {
        log.TruncateFrom(number);
        First = Math.Min(First, number);
        if (First == log.NextRecord)
        {
            Save(stored with { LogBegin = First });
        }

        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask BeginAtAsync(long first, bool keepBehind)
    {
        await DropBehindAsync();
        await log.DisposeAsync();

        // First: until the folder is gone, what it holds counts.
        Save(stored with { LogBegin = first });
        if (keepBehind)
        {
            Directory.Move(LogFolder, BehindFolder);
        }
        else
        {
            Directory.Delete(LogFolder, recursive: true);
        }

        DurableFile.FlushFolder(folder);
        log = Open(LogFolder, first);
        behind = keepBehind ? Open(BehindFolder, 0) : null;
        First = first;
        BehindFirst = behind?.FirstRecord ?? 0;
    }

    /// <inheritdoc/>
    public async ValueTask DropBeforeAsync(long number)
    {
        if (behind is not null && BehindNext <= number)
        {
            await DropBehindAsync();
        }

        if (First < number)
        {
            log.DropBefore(number);
            First = log.FirstRecord;
        }
    }

    /// <inheritdoc/>
    public ValueTask<(ReadOnlyMemory<byte> Frames, int Count)> ReadAsync(long from, int maxBytes)
    {
        var (frames, count) = (from < First && behind is not null ? behind : log).ReadFrames(from, maxBytes);
        return ValueTask.FromResult<(ReadOnlyMemory<byte>, int)>((frames, count));
    }

    /// <inheritdoc/>
    public ValueTask RestAsync()
    {
        log.Rest();
        behind?.Rest();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await log.DisposeAsync();
        }
        finally
        {
            if (behind is not null)
            {
                await behind.DisposeAsync();
            }
        }
    }

    // By what the log has set aside, so that a crash right after that does not make it forgotten.
    private static bool HasDamage(string directory) => Directory.Exists(directory) && Directory.EnumerateFiles(directory, "*" + ShardLog.DamagedSuffix).Any();

    private ShardLog Open(string directory, long emptyFirst) => ShardLog.Open(directory, options, time, NoVisitor.Instance, report, emptyFirst: emptyFirst);

    private async ValueTask DropBehindAsync()
    {
        if (behind is not null)
        {
            await behind.DisposeAsync();
            behind = null;
        }

        if (Directory.Exists(BehindFolder))
        {
            Directory.Delete(BehindFolder, recursive: true);
            DurableFile.FlushFolder(folder);
        }

        BehindFirst = 0;
    }

    // The last segment first: the log is without a gap after each move.
    private async ValueTask JoinBehindAsync()
    {
        await behind!.DisposeAsync();
        await log.DisposeAsync();
        behind = null;
        foreach (var path in Directory.EnumerateFiles(BehindFolder).OrderDescending(StringComparer.Ordinal).ToList())
        {
            File.Move(path, Path.Combine(LogFolder, Path.GetFileName(path)));
            DurableFile.FlushFolder(LogFolder);
        }

        await DropBehindAsync();
        log = Open(LogFolder, First);
        First = log.FirstRecord;
    }

    private void Save(StoredState next)
    {
        if (next != stored)
        {
            DurableFile.Replace(Path.Combine(folder, StateName), JsonSerializer.SerializeToUtf8Bytes(next, ReplicaStateJson.Default.StoredState));
            stored = next;
        }
    }

    private sealed class NoVisitor : ILogVisitor
    {
        public static NoVisitor Instance { get; } = new();

        public void Visit(long number, ReadOnlySpan<byte> payload, long position)
        {
        }
    }
}

/// <summary>The content of a replica's state file.</summary>
/// <param name="LogBegin">Where the log begins when it holds no record.</param>
/// <param name="State">The state.</param>
internal sealed record StoredState(long LogBegin, ReplicaState State)
{
    /// <summary>Reads the file; without one, nobody has spoken to the replica.</summary>
    /// <exception cref="IOException">The file is damaged: what was promised is unknown.</exception>
    public static StoredState Read(string path)
    {
        if (!File.Exists(path))
        {
            return new StoredState(0, ReplicaState.New);
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), ReplicaStateJson.Default.StoredState) ?? throw new IOException($"{path}: null is no state");
        }
        catch (JsonException e)
        {
            throw new IOException($"{path}: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StoredState))]
internal sealed partial class ReplicaStateJson : JsonSerializerContext;

/// <summary>A node's replicas below one folder: <c>tenant/range/lineage/</c>.</summary>
internal sealed class FileReplicaStores(string root, LogOptions options, TimeProvider time, Action<string> report) : IReplicaStores
{
    /// <inheritdoc/>
    public async ValueTask<IReplicaStore> OpenAsync(LogId log) => await FileReplicaStore.OpenAsync(FolderOf(log), options, time, report);

    /// <inheritdoc/>
    public IReadOnlyList<LogId> List()
    {
        var found = new List<LogId>();
        foreach (var path in Directory.Exists(root) ? Directory.EnumerateDirectories(root, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }) : [])
        {
            var parts = Path.GetRelativePath(root, path).Split(Path.DirectorySeparatorChar);
            if (parts.Length == 3 && TenantId.TryParse(parts[0], out var tenant, out _))
            {
                found.Add(new LogId(new ShardId(tenant, HashRange.Parse(parts[1])), parts[2]));
            }
        }

        return found;
    }

    /// <inheritdoc/>
    public ValueTask RemoveAsync(LogId log)
    {
        Directory.Delete(FolderOf(log), recursive: true);
        return ValueTask.CompletedTask;
    }

    private string FolderOf(LogId log) => Path.Combine(root, log.Shard.Tenant.Value, log.Shard.Range.ToString(), log.Lineage);
}
