using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>The log of a shard in one folder of this machine.</summary>
/// <param name="folder">The folder; made when the log is replayed.</param>
/// <param name="options">How to write.</param>
/// <param name="time">The clock.</param>
internal sealed class LocalShardLog(string folder, LogOptions options, TimeProvider time) : IShardLog
{
    private ShardLog? log;

    /// <inheritdoc/>
    public string Lineage { get; private set; } = LogLineage.Read(folder);

    /// <inheritdoc/>
    public long NextRecord => Opened.NextRecord;

    /// <inheritdoc/>
    public long Bytes => Opened.Bytes;

    /// <inheritdoc/>
    public bool HasRoom => true;

    /// <inheritdoc/>
    public Task Failed { get; } = new TaskCompletionSource().Task;

    /// <summary>Bytes that a replay of everything will read.</summary>
    public long BytesToReplay => ShardLog.BytesToReplay(folder);

    private ShardLog Opened => log ?? throw new InvalidOperationException("the log was not replayed");

    /// <inheritdoc/>
    public long Append(ReadOnlySpan<byte> payload) => Opened.Append(payload);

    /// <inheritdoc/>
    public ValueTask WaitDurableAsync(long number) => Opened.WaitDurableAsync(number);

    /// <summary>Forces what was appended to the disk, whatever the policy says.</summary>
    /// <exception cref="IOException">The log could not be written.</exception>
    public void Sync() => Opened.Sync();

    /// <summary>Closes the file and gives memory back until something is appended; everything goes on working.</summary>
    /// <exception cref="IOException">The log could not be written.</exception>
    public void Rest() => Opened.Rest();

    /// <inheritdoc/>
    public async ValueTask ReplayAsync(ILogVisitor visitor, long from, Action<string> report, CancellationToken cancellation)
    {
        await DisposeAsync();
        log = ShardLog.Open(folder, options, time, visitor, report, from);
    }

    /// <inheritdoc/>
    public void Rename() => Lineage = LogLineage.Begin(folder);

    /// <inheritdoc/>
    public ValueTask TruncateBeforeAsync(long number, Action<LogCheckpointWriter> writeSeries, CancellationToken cancellation)
    {
        Opened.Rotate();
        Opened.TruncateBefore(number, writeSeries);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (log is { } open)
        {
            log = null;
            await open.DisposeAsync();
        }
    }
}
