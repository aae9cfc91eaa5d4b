using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Operations;

/// <summary>The end of the process when it is asked for over HTTP, and what is to be done before any end. Thread-safe.</summary>
/// <remarks>
/// A process that has been prepared puts its heads into blocks, and those into object storage, before it ends, whatever ends it short of a kill: nothing is then left on its disk that is not elsewhere. That is
/// remembered in a file, over restarts. In a cluster there is nothing to prepare: a silo hands its shards over with their logs.
/// </remarks>
internal sealed partial class ProcessShutdown(ICluster cluster, string dataFolder, ILogger<ProcessShutdown> logger) : IDisposable
{
    private const string Mark = "prepared-for-shutdown";

    private readonly CancellationTokenSource asked = new();
    private volatile bool isEnding;

    /// <summary>Cancelled when the process is asked to end.</summary>
    public CancellationToken Asked => asked.Token;

    /// <summary>True from then on that the process is about to end: it is not ready any more.</summary>
    public bool IsEnding => isEnding;

    /// <summary>Whether heads are put into object storage before the end.</summary>
    public bool IsPrepared => File.Exists(MarkPath);

    private string MarkPath => Path.Combine(dataFolder, Mark);

    /// <summary>Says whether heads are to be put into object storage before the end.</summary>
    /// <exception cref="IOException">It can't be written down.</exception>
    public void Prepare(bool isWanted)
    {
        if (isWanted)
        {
            Directory.CreateDirectory(dataFolder);
            File.WriteAllBytes(MarkPath, []);
            DurableFile.FlushFolder(dataFolder);
        }
        else
        {
            File.Delete(MarkPath);
        }
    }

    /// <summary>Is ready no more, and puts what is in heads into object storage.</summary>
    /// <exception cref="ShardUnavailableException">That failed; the process is ready again.</exception>
    public async Task EmptyAsync(CancellationToken cancellation)
    {
        isEnding = true;
        try
        {
            await FlushAsync(cancellation);
        }
        catch
        {
            isEnding = false;
            throw;
        }
    }

    /// <summary>Asks the process to end.</summary>
    public void Ask()
    {
        isEnding = true;
        asked.Cancel();
    }

    /// <summary>What is left to do when no more requests come.</summary>
    public async Task BeforeEndAsync()
    {
        if (!IsPrepared)
        {
            return;
        }

        try
        {
            await FlushAsync(CancellationToken.None);
            LogFlushed();
        }
        catch (ShardUnavailableException e)
        {
            LogNotFlushed(e.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => asked.Dispose();

    private async Task FlushAsync(CancellationToken cancellation)
    {
        if (cluster.Control is not null)
        {
            return;
        }

        foreach (var tenant in cluster.Tenants)
        {
            await tenant.AskAsync(
                async shards =>
                {
                    await Task.WhenAll(shards.Select(shard => shard.FlushAsync(cancellation).AsTask()));
                    return true;
                },
                cancellation);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "all heads are in object storage")]
    private partial void LogFlushed();

    [LoggerMessage(Level = LogLevel.Error, Message = "heads could not be put into object storage before the end; what they hold is in the log on this disk: {Reason}")]
    private partial void LogNotFlushed(string reason);
}
