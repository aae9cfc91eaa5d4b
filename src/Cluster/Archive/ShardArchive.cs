using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What a shard keeps for long: its manifest and its blocks, on their way into object storage and there.</summary>
/// <remarks>
/// <code>
///   cut ──► pending/&lt;ulid&gt; ──upload──► &lt;tenant&gt;/&lt;ulid&gt;/ ──swap──► live ──swap──► retired ──delay──► removed
///                                              ▲                          │
///                                              └──── compaction ◄─────────┘
/// </code>
/// Everything that changes what is live is one swap of the manifest; what a crash leaves beside it, local files and objects, is found again by name: pending folders by the folder, uploads
/// by the notes that were written before them, retired blocks by the manifest.
/// A store that is away stops none of this but the part that needs it: blocks wait in <c>pending/</c>, and are read from there.
/// <see cref="WorkAsync"/> and the other long operations take turns; reads and cuts go on beside them.
/// </remarks>
internal sealed partial class ShardArchive : IDisposable
{
    /// <summary>Finished blocks that wait for their upload.</summary>
    public const string PendingFolder = "pending";

    /// <summary>Blocks that compaction is writing; emptied at each opening.</summary>
    public const string CompactingFolder = "compacting";

    private readonly ShardId shard;
    private readonly string pendingFolder;
    private readonly string compactingFolder;
    private readonly IObjectStore store;
    private readonly IBlockOpener opener;
    private readonly ArchiveOptions options;
    private readonly TimeProvider time;
    private readonly Action<string> report;
    private readonly Action<string> step;
    private readonly ManifestFile manifest;
    private readonly IShardLog? log;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly Lock reconciling = new();
    private readonly Dictionary<Ulid, ManifestBlock> pending = [];
    private readonly SharedBlocks shared;
    private volatile bool isSealed;
    private DateTimeOffset sweptAt;
    private long recordsHeld;
    private long pastChanges;

    /// <summary>Opens what the shard's folder holds; the store is not asked yet.</summary>
    /// <param name="shard">Whose.</param>
    /// <param name="folder">The shard's folder.</param>
    /// <param name="services">Where blocks go and how.</param>
    /// <param name="manifest">This opening's hold on the manifest.</param>
    /// <param name="log">A log that acknowledges records later than blocks may hold them: they are published only afterwards. Null for one whose blocks outlast it.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know.</param>
    /// <param name="step">Is called between any two steps that a crash could part; for tests.</param>
    public ShardArchive(ShardId shard, string folder, ArchiveServices services, ManifestFile manifest, IShardLog? log, Action<string> report, Action<string>? step = null)
    {
        this.shard = shard;
        shared = new SharedBlocks(shard, services);
        pendingFolder = Path.Combine(folder, PendingFolder);
        compactingFolder = Path.Combine(folder, CompactingFolder);
        store = services.Store;
        opener = services.Opener;
        options = services.Options;
        time = services.Time;
        this.report = report;
        this.step = step ?? (static _ => { });
        Blocks = new ShardBlocks(shard, services.Labels, report);
        this.manifest = manifest;
        this.log = log;
        if (Directory.Exists(compactingFolder))
        {
            Directory.Delete(compactingFolder, recursive: true);
        }

        FindPending();
        Reconcile();
    }

    /// <summary>The live blocks, pending ones included.</summary>
    public ShardBlocks Blocks { get; }

    /// <summary>How often what blocks say about the past was changed: by deletion, by retention, by downsampling.</summary>
    public long PastChanges => Volatile.Read(ref pastChanges);

    /// <summary>Blocks that wait for their upload.</summary>
    public int PendingCount
    {
        get
        {
            lock (reconciling)
            {
                return pending.Count;
            }
        }
    }

    /// <summary>What of the log is in blocks, the latest cut first.</summary>
    public IReadOnlyList<LogCut> Cuts
    {
        get
        {
            lock (reconciling)
            {
                return [.. pending.Values.Select(b => b.Meta.Metrics?.Cut).OfType<LogCut>().Concat(manifest.Current.Cuts).Distinct().OrderByDescending(c => c.EndMs).ThenByDescending(c => c.FirstRecord)];
            }
        }
    }

    /// <summary>Begins a block that <see cref="Add"/> takes in once it is finished.</summary>
    public BlockWriter Write(TimeRange range, LogCut? cut) => new(pendingFolder, NewUlid(), Description(range) with { FloatEncoding = options.FloatEncoding, Metrics = new MetricsMeta { HashRange = shard.Range.ToString(), Cut = cut } });

    /// <summary>Begins a block beside those cut from the head, for <see cref="UploadAsideAsync"/>.</summary>
    public BlockWriter WriteAside(TimeRange range)
    {
        Directory.CreateDirectory(compactingFolder);
        return new BlockWriter(compactingFolder, NewUlid(), Description(range) with { FloatEncoding = options.FloatEncoding, Metrics = new MetricsMeta { HashRange = shard.Range.ToString() } });
    }

    /// <summary>Makes a finished block live.</summary>
    /// <param name="meta">The block.</param>
    /// <param name="before">It holds samples of log records before this one.</param>
    public void Add(BlockMeta meta, long before = 0)
    {
        Volatile.Write(ref recordsHeld, Math.Max(recordsHeld, before));
        var block = ManifestBlock.Of(Path.Combine(pendingFolder, meta.Ulid.ToString()), meta);
        step("a block is pending");
        lock (reconciling)
        {
            pending[meta.Ulid] = block;
        }

        Reconcile();
    }

    /// <summary>Publishes, compacts, retires and removes as far as due. What fails for the store's sake is reported and tried again at the next call.</summary>
    /// <exception cref="EpochLostException">Another owner has the shard.</exception>
    public async Task WorkAsync(CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            if (isSealed)
            {
                return;
            }

            await PublishAsync(cancellation);
            await ApplyRetentionAsync(cancellation);
            while (await CompactOnceAsync(cancellation))
            {
            }

            await NarrowForAWhileAsync(cancellation);
            await RemoveRetiredAsync(cancellation);
            await SweepUploadsAsync(cancellation);
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Closes the blocks once nobody reads them any more.</summary>
    public void Dispose()
    {
        Blocks.Dispose();
        turn.Dispose();
    }

    private Ulid NewUlid() => Ulid.New(time, new Random(System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue)));

    private BlockDescription Description(TimeRange range, long resolutionMs = 0) => new()
    {
        MinTimeMs = range.MinMs == long.MinValue ? null : range.MinMs,
        MaxTimeMs = range.MaxMs == long.MaxValue ? null : range.MaxMs + 1,
        Thanos = new ThanosMeta
        {
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["tenant_id"] = shard.Tenant.Value, ["shard"] = shard.Range.ToString() },
            Downsample = new ThanosDownsample(resolutionMs),
            Source = "metrics",
        },
    };

    private void FindPending()
    {
        Directory.CreateDirectory(pendingFolder);
        foreach (var path in Directory.EnumerateDirectories(pendingFolder).Order(StringComparer.Ordinal).ToList())
        {
            if (path.EndsWith(BlockWriter.UnfinishedSuffix, StringComparison.Ordinal))
            {
                Directory.Delete(path, recursive: true);
                continue;
            }

            if (!Ulid.TryParse(Path.GetFileName(path), out _))
            {
                continue;
            }

            try
            {
                var meta = BlockMeta.Read(path);
                pending[meta.Ulid] = ManifestBlock.Of(path, meta);
            }
            catch (InvalidDataException e)
            {
                Directory.Move(path, path + ".damaged");
                DurableFile.FlushFolder(pendingFolder);
                report($"put the damaged block aside as {path}.damaged: {e.Message}");
            }
        }
    }

    /// <summary>Makes live what the manifest and the pending folder say, in one step, and lets go of pending blocks that the manifest knows.</summary>
    private void Reconcile()
    {
        List<Ulid> published;
        lock (reconciling)
        {
            var now = manifest.Current;
            var known = now.Blocks.Select(b => b.Meta.Ulid.ToString()).Concat(now.Retired.Select(r => r.Ulid)).ToHashSet(StringComparer.Ordinal);
            published = [.. pending.Keys.Where(u => known.Contains(u.ToString()))];

            // A query may hold a block and not have opened it yet: it must find the files, which stay readable once they are open.
            foreach (var block in Blocks.Live.Where(b => published.Contains(b.Ulid)))
            {
                Blocks.Open(block);
            }

            published.ForEach(u => pending.Remove(u));
            var wanted = now.Blocks.Select(b => (Block: b, IsPending: false)).Concat(pending.Values.Select(b => (Block: b, IsPending: true))).ToList();
            var keys = wanted.Select(w => w.Block.Key).ToHashSet();
            Blocks.ForgetDamaged(b => !keys.Contains(b.Key));

            // A block that was pending is read from its new place, for its folder is about to go.
            var leaving = Blocks.Live.Where(b => !keys.Contains(b.Described.Key) || published.Contains(b.Ulid)).ToList();
            var present = Blocks.Live.Except(leaving).Select(b => b.Described.Key).Concat(Blocks.Damaged.Select(d => d.Block.Key)).ToHashSet();
            Blocks.Replace(leaving, [.. wanted.Where(w => !present.Contains(w.Block.Key)).Select(w => Live(w.Block, w.IsPending))]);
        }

        foreach (var ulid in published)
        {
            RemoveLocal(Path.Combine(pendingFolder, ulid.ToString()));
        }
    }

    private LiveBlock Live(ManifestBlock block, bool isPending)
    {
        var ulid = block.Meta.Ulid.ToString();
        return isPending
            ? new LiveBlock(block, _ => BlockReader.Open(Path.Combine(pendingFolder, ulid)))
            : new LiveBlock(block, live => opener.Open(BucketKeys.Block(shard.Tenant, ulid), live), IsShared(block) ? shard.Range : HashRange.Everything);
    }

    // The rename comes first: a crash in the middle of the removal must not leave half a block under its name.
    private void RemoveLocal(string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        step("a local block is about to go");
        var doomed = path + BlockWriter.UnfinishedSuffix;
        Directory.Move(path, doomed);
        DurableFile.FlushFolder(Path.GetDirectoryName(path)!);
        step("a local block is doomed");
        Directory.Delete(doomed, recursive: true);
    }
}
