using System.Security.Cryptography;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What an open shard keeps on disk and in memory: its log, its head and its blocks (LAYOUT.md).</summary>
/// <remarks>
/// A sample's way: judged and applied by the head, logged, acknowledged; copied into a block when the head spans more than one and a half block ranges; then dropped from the head and,
/// segment by segment, from the log. At each instant every acknowledged sample is in the log or in a block, so a crash anywhere loses nothing: the block appears by one rename,
/// and replay skips what blocks cover.
/// </remarks>
internal sealed partial class ShardStore : IShardStore
{
    private readonly StorageOptions options;
    private readonly TimeProvider time;
    private readonly ShardBlocks blocks;
    private readonly LogCoverage coverage = new();
    private readonly ShardLog log;
    private readonly Lock appending = new();
    private Head head;
    private HeadAppender appender;
    private long samplesAppended;
    private long lastAppend;
    private long logBytes;

    private ShardStore(string folder, StorageOptions options, TimeProvider time, ReplayMeter meter, Action<string> report, CancellationToken cancellation)
    {
        this.options = options;
        this.time = time;
        Incarnation = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1;
        blocks = new ShardBlocks(Path.Combine(folder, "blocks"), report);
        head = new Head(new HeadOptions { BlockRangeMs = (long)options.BlockRange.TotalMilliseconds, OutOfOrderWindowMs = (long)options.OutOfOrderWindow.TotalMilliseconds });
        head.SetMinValid(blocks.EndMs);
        var logFolder = Path.Combine(folder, "log");
        meter.Begin(ShardLog.BytesToReplay(logFolder));
        try
        {
            var replay = new LogReplay(head, coverage, meter, report, cancellation);
            log = ShardLog.Open(logFolder, new LogOptions { Fsync = options.Fsync, FsyncInterval = options.FsyncInterval }, time, replay, report);
            replay.Finish();
        }
        catch
        {
            head.Dispose();
            blocks.Dispose();
            throw;
        }

        appender = new HeadAppender(head);
        logBytes = log.Bytes;
        lastAppend = time.GetTimestamp();
    }

    /// <inheritdoc/>
    public ulong Incarnation { get; }

    /// <inheritdoc/>
    public ShardStatistics Statistics
    {
        get
        {
            var now = Volatile.Read(ref head);
            return new(now.SeriesCount, now.ChunkCount, Volatile.Read(ref samplesAppended), Volatile.Read(ref logBytes), blocks.Count, now.MinTimeMs, now.MaxTimeMs);
        }
    }

    /// <summary>Opens the store in a folder, which is made if it is not there; see <see cref="ShardStoreOpener"/>.</summary>
    public static ShardStore Open(string folder, StorageOptions options, TimeProvider time, ReplayMeter meter, Action<string> report, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        return new ShardStore(folder, options, time, meter, report, cancellation);
    }

    /// <inheritdoc/>
    public AppendResult Append(SampleBatch batch, long maxTimeMs, out long position)
    {
        lock (appending)
        {
            var result = appender.Append(batch, Incarnation, maxTimeMs);
            var record = appender.Record;
            if (record.IsEmpty)
            {
                position = log.NextRecord - 1;
                return result;
            }

            var bytes = record.Encode();
            position = log.Append(bytes);
            coverage.Logged(position, record.NewestMs);
            Volatile.Write(ref samplesAppended, samplesAppended + record.SampleCount);
            Volatile.Write(ref logBytes, logBytes + bytes.Length);
            lastAppend = time.GetTimestamp();
            return result;
        }
    }

    /// <inheritdoc/>
    public ValueTask CommitAsync(long position) => log.WaitDurableAsync(position);

    /// <inheritdoc/>
    public void Select(IReadOnlyList<Matcher> matchers, TimeRange range, List<ISeriesSet> into, CancellationToken cancellation)
    {
        // The head first: what is cut meanwhile is then seen twice, in head and block, and merged; the other way round it could be missed.
        var view = OpenView();
        into.Add(view.Select(matchers, range));
        blocks.Select(matchers, range, into, cancellation);
    }

    /// <inheritdoc/>
    public void AddLabelNames(IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        using (var view = OpenView())
        {
            into.UnionWith(view.LabelNames(matchers, range));
        }

        blocks.AddLabelNames(matchers, range, into);
    }

    /// <inheritdoc/>
    public void AddLabelValues(string name, IReadOnlyList<Matcher> matchers, TimeRange range, ISet<string> into)
    {
        using (var view = OpenView())
        {
            into.UnionWith(view.LabelValues(name, matchers, range));
        }

        blocks.AddLabelValues(name, matchers, range, into);
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
            head.Dispose();
            blocks.Dispose();
        }
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
