using System.Security.Cryptography;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What an open shard keeps on disk and in memory: its log, its head and its blocks (LAYOUT.md).</summary>
/// <remarks>
/// A sample's way: judged and applied by the head, logged, acknowledged; copied into a block when the head spans more than one and a half block ranges; then dropped from the head and,
/// segment by segment, from the log. At each instant every acknowledged sample is in the log or in a block, so a crash anywhere loses nothing: the block appears by one rename, and says up to
/// which time and record it covers the log, so that replay skips that.
/// </remarks>
internal sealed partial class ShardStore : IShardStore
{
    /// <summary>How long an opening waits for object storage that it can do without.</summary>
    private static readonly TimeSpan StoreAnswersWithin = TimeSpan.FromSeconds(5);

    private readonly StorageOptions options;
    private readonly TimeProvider time;
    private readonly ShardArchive archive;
    private readonly Action<string> step;
    private readonly LogCoverage coverage;
    private readonly IShardLog log;
    private readonly ShardSalvage? salvage;
    private readonly Lock appending = new();
    private readonly SettledPast settled;
    private readonly ExemplarRing exemplars;
    private readonly ActiveSeriesPart active;
    private volatile HandedExemplar[] exemplarsOfGone = []; // Of series that the head has given up since the opening.
    private Head head;
    private HeadAppender appender;
    private long samplesAppended;
    private long lastAppend;
    private long logBytes;

    private ShardStore(ShardArchive archive, IShardLog log, ShardSalvage? salvage, RecoveredHead recovered, StorageOptions options, TimeProvider time, Action<string>? step)
    {
        this.salvage = salvage;
        this.options = options;
        this.time = time;
        this.archive = archive;
        this.log = log;
        local = log as LocalShardLog;
        this.step = step ?? (static _ => { });
        settled = new SettledPast(options.OutOfOrderWindow, time);
        Incarnation = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1;
        (head, coverage, exemplars, spill, snapshotPath, bytesSinceSnapshot, snapshotBytes) = recovered;
        ReplayedBytes = bytesSinceSnapshot;
        active = options.ActiveSeries.NewPart();
        active.Open(head);
        appender = new HeadAppender(head, exemplars, active);
        logBytes = log.Bytes;
        lastAppend = time.GetTimestamp();
    }

    /// <inheritdoc/>
    public ulong Incarnation { get; }

    /// <summary>Bytes of log that the opening replayed.</summary>
    public long ReplayedBytes { get; }

    /// <inheritdoc/>
    public IReadOnlyList<DamagedBlock> Damaged => archive.Blocks.Damaged;

    /// <inheritdoc/>
    public ShardStatistics Statistics
    {
        get
        {
            var now = Volatile.Read(ref head);
            var (bytes, newestMs) = archive.Blocks.Extent();
            newestMs = now.ChunkCount > 0 ? Math.Max(newestMs, now.MaxTimeMs) : newestMs;
            return new(now.SeriesCount, now.ChunkCount, Volatile.Read(ref samplesAppended), Volatile.Read(ref logBytes), archive.Blocks.Live.Count, now.MinTimeMs, now.MaxTimeMs, archive.PendingCount, archive.Blocks.Damaged.Count, now.MemoryBytes, spill.Bytes, bytes, newestMs);
        }
    }

    /// <summary>The log as its protocol sees it; null for one of this machine alone.</summary>
    public ReplicatedLog? Replicated => (log as ReplicatedShardLog)?.Replicated;

    /// <inheritdoc/>
    public ActiveSeries ActiveSeries => options.ActiveSeries;

    /// <inheritdoc/>
    public bool HasRoom => log.HasRoom;

    /// <inheritdoc/>
    public Task Failed => log.Failed;

    /// <inheritdoc/>
    public ShardHistory History => new(Incarnation, settled.Changes + archive.PastChanges, settled.BeforeMs);

    /// <summary>Opens the store in a folder, which is made if it is not there, with its log in it; see <see cref="ShardStoreOpener"/>.</summary>
    /// <param name="shard">Whose.</param>
    /// <param name="folder">The shard's folder.</param>
    /// <param name="options">How to keep it.</param>
    /// <param name="services">Where its blocks go.</param>
    /// <param name="meter">Shows how far the replay is.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know.</param>
    /// <param name="cancellation">Ends the replay.</param>
    /// <param name="step">Is called between any two steps that a crash could part; for tests.</param>
    public static async Task<ShardStore> OpenAsync(
        ShardId shard, string folder, StorageOptions options, ArchiveServices services, ReplayMeter meter, Action<string> report, CancellationToken cancellation, Action<string>? step = null)
    {
        Directory.CreateDirectory(folder);
        var manifest = ManifestFile.Open(services.Store, shard, folder, report);
        if (manifest.IsKnown)
        {
            await CatchUpAsync(shard, manifest, services.Time, report, cancellation);
        }
        else
        {
            // A shard that was never open on this machine may have years of blocks.
            await manifest.SyncAsync(cancellation);
        }

        if (manifest.Current is { SealedFor: not null } or { Parents: not null })
        {
            await manifest.SyncAsync(cancellation);
            await new Succession(services.Store, services.Maps, services.Time, services.Mutant).ResolveAsync(shard, manifest, cancellation);
        }

        var blocks = new ShardArchive(shard, folder, services, manifest, log: null, report, step);
        try
        {
            var records = new LocalShardLog(Path.Combine(folder, "log"), new LogOptions { Fsync = options.Fsync, FsyncInterval = options.FsyncInterval }, services.Time);
            return await RecoverAsync(blocks, records, lostLogs: null, folder, options, services, meter, report, step, cancellation);
        }
        catch
        {
            blocks.Dispose();
            throw;
        }
    }

    /// <summary>Brings the copy of the manifest up to date, if the store is there: it may be one change behind, and a block that it names replaced and removed since. Without the store the shard serves what the copy names.</summary>
    private static async Task CatchUpAsync(ShardId shard, ManifestFile manifest, TimeProvider time, Action<string> report, CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(StoreAnswersWithin, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        try
        {
            await manifest.SyncAsync(either.Token);
        }
        catch (Exception e) when (e is ObjectStoreException or InvalidDataException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            var why = e is OperationCanceledException ? $"object storage has not answered for {StoreAnswersWithin.TotalSeconds:F0} s" : e.Message;
            report($"shard {shard} serves the blocks that the copy of its manifest names until it can read the manifest: {why}");
        }
    }

    /// <summary>Opens the store on a replicated log, which is taken over first; parameters as above. The folder holds nothing that outlasts this opening.</summary>
    /// <param name="shard">Whose.</param>
    /// <param name="folder">A folder of this node.</param>
    /// <param name="options">How to keep it.</param>
    /// <param name="services">Where its blocks go.</param>
    /// <param name="manifest">This opening's hold on the manifest, which archive and log share.</param>
    /// <param name="replication">How its log is replicated.</param>
    /// <param name="meter">Shows how far the replay is.</param>
    /// <param name="report">Is told, in a sentence, what an operator should know.</param>
    /// <param name="cancellation">Ends the opening.</param>
    /// <param name="step">Is called between any two steps that a crash could part; for tests.</param>
    /// <exception cref="LogUnavailableException">Too few replicas can be reached.</exception>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="ShardUnavailableException">The shard was split or merged.</exception>
    /// <exception cref="IOException">Object storage or this node's disk failed.</exception>
    public static async Task<ShardStore> OpenReplicatedAsync(
        ShardId shard,
        string folder,
        StorageOptions options,
        ArchiveServices services,
        ManifestFile manifest,
        ReplicationServices replication,
        ReplayMeter meter,
        Action<string> report,
        CancellationToken cancellation,
        Action<string>? step = null)
    {
        // Blocks cut here and not published are still in the log, and meanwhile another owner may have cut them, or deleted some of what they hold.
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        step?.Invoke("the folder is empty");
        await manifest.SyncAsync(cancellation);
        await new Succession(services.Store, services.Maps, services.Time, services.Mutant).ResolveAsync(shard, manifest, cancellation);
        var records = new ReplicatedShardLog(shard, folder, services.Store, manifest, await ReplicatedLog.OpenAsync(shard, manifest, replication, cancellation), replication);
        step?.Invoke("the log is taken over");
        ShardArchive? blocks = null;
        try
        {
            blocks = new ShardArchive(shard, folder, services, manifest, records, report, step);
            var into = blocks;
            var lost = new LostLogSalvage(
                shard, manifest, replication, (found, ended) => SalvagedRecords.BeginAsync(into, Path.Combine(folder, "salvage"), options, services, found, report, ended));
            return await RecoverAsync(blocks, records, new ShardSalvage(manifest, lost, services.Time), folder, options, services, meter, report, step, cancellation);
        }
        catch
        {
            blocks?.Dispose();
            await records.DisposeAsync();
            throw;
        }
    }

    private static async Task<ShardStore> RecoverAsync(
        ShardArchive blocks, IShardLog records, ShardSalvage? lostLogs, string folder, StorageOptions options, ArchiveServices services, ReplayMeter meter, Action<string> report, Action<string>? step, CancellationToken cancellation)
    {
        try
        {
            var opened = new ShardStore(blocks, records, lostLogs, await HeadRecovery.RunAsync(folder, records, options, blocks.Cuts, meter, report, cancellation), options, services.Time, step);
            try
            {
                await opened.TakeExemplarsAsync(cancellation);
                return opened;
            }
            catch
            {
                opened.LetGo();
                throw;
            }
        }
        catch
        {
            await records.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public AppendResult Append(SampleBatch batch, long maxTimeMs, out long position)
    {
        AppendResult result;
        lock (appending)
        {
            result = appender.Append(batch, Incarnation, maxTimeMs);
            var record = appender.Record;
            if (record.IsEmpty)
            {
                position = log.NextRecord - 1;
                return result;
            }

            var bytes = IsWhole(batch, record) ? batch.Record.Span : record.Encode();
            position = log.Append(bytes);
            coverage.Logged(position, record.NewestMs);
            settled.OnAppended(record.OldestMs);
            Volatile.Write(ref samplesAppended, samplesAppended + record.SampleCount);
            options.ActiveSeries.OnAppended(record.SampleCount);
            Volatile.Write(ref logBytes, logBytes + bytes.Length);
            Volatile.Write(ref bytesSinceSnapshot, bytesSinceSnapshot + bytes.Length);
            lastAppend = time.GetTimestamp();
        }

        if (head.UnspilledBytes >= options.HeadMemory.SpillBytes && !spillFailed)
        {
            SpillSoon();
        }

        return result;
    }

    /// <summary>True when the batch is itself the record that it makes: all of it was new, it names its series as the log does, and it came as a record.</summary>
    private static bool IsWhole(SampleBatch batch, WriteRecord record) =>
        !batch.Record.IsEmpty && record.SampleCount == batch.Count && batch.NewSeriesCount == 0 && batch.Exemplars.Count == 0;

    /// <inheritdoc/>
    public ValueTask CommitAsync(long position) => log.CommitAsync(position);

    /// <inheritdoc/>
    public void Select(IReadOnlyList<Matcher> matchers, TimeRange range, SelectionHints hints, List<ISeriesSet> into, CancellationToken cancellation)
    {
        // The head first: what is cut meanwhile is then seen twice, in head and block, and merged; the other way round it could be missed.
        var view = OpenView();
        into.Add(view.Select(matchers, range));
        archive.Blocks.Select(matchers, range, hints, into, cancellation);
    }

    /// <inheritdoc/>
    public IEnumerable<(Labels Series, Exemplar Exemplar)> Exemplars(TimeRange range)
    {
        foreach (var (series, exemplar) in exemplarsOfGone)
        {
            if (range.Contains(exemplar.TimeMs))
            {
                yield return (series, exemplar);
            }
        }

        using var view = OpenView();
        foreach (var exemplar in exemplars.Read(range))
        {
            if (view.FindLabels(exemplar.Series) is { } labels)
            {
                yield return (labels, exemplar);
            }
        }
    }

    /// <inheritdoc/>
    public void VisitSeries(IReadOnlyList<Matcher> matchers, TimeRange range, LabelsVisitor visit, CancellationToken cancellation)
    {
        // The head first, as above.
        using (var inHead = OpenView().Select(matchers, range))
        {
            byte[] scratch = [];
            for (var i = 0; i < inHead.Count; i++)
            {
                visit(inHead.LabelBytesOf(i, ref scratch));
            }
        }

        archive.Blocks.VisitSeries(matchers, range, visit, cancellation);
    }

    /// <inheritdoc/>
    public void AddLabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        using (var view = OpenView())
        {
            into.UnionWith(view.LabelNames(matchers, range));
        }

        archive.Blocks.AddLabelNames(matchers, range, into);
    }

    /// <inheritdoc/>
    public void AddLabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        using (var view = OpenView())
        {
            into.UnionWith(view.LabelValues(name, matchers, range));
        }

        archive.Blocks.AddLabelValues(name, matchers, range, into);
    }

    /// <inheritdoc/>
    public void VisitHeadPairs(LabelPairVisitor visit)
    {
        using var view = OpenView();
        view.VisitPairs(visit);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        lock (cutting)
        {
            disposed = true;
        }

        try
        {
            await log.DisposeAsync();
        }
        finally
        {
            LetGo();
            archive.Dispose();
        }
    }

    private void LetGo()
    {
        lock (appending)
        {
            active.Clear();
        }

        head.Dispose();
        spill.Dispose();
    }

    private HeadView OpenView()
    {
        while (true)
        {
            var now = Volatile.Read(ref head);
            if (now.OpenView() is { } view)
            {
                return view;
            }

            // Between the read and the call the head was rebuilt; or the store is being disposed.
            if (ReferenceEquals(now, Volatile.Read(ref head)))
            {
                throw new IOException("the shard's store is closed");
            }
        }
    }
}
