using Metrics.Cluster;
using Metrics.Model;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

/// <summary>Sees to it that shards which nobody calls still get retention and compaction: the eldest silo that holds shards looks at their manifests now and then (<see cref="IdleShards"/>), and wakes those that need it.</summary>
internal sealed partial class IdleCare(SiloContext silo, SiloDirectory directory, ILocalSiloDetails self, IGrainFactory grains, TimeProvider time, ILogger<IdleCare> logger)
    : ILifecycleParticipant<ISiloLifecycle>, IDisposable
{
    private readonly CancellationTokenSource stopping = new();
    private Task work = Task.CompletedTask;

    /// <inheritdoc/>
    public void Participate(ISiloLifecycle observer) => observer.Subscribe(nameof(IdleCare), ServiceLifecycleStage.Active + 50, StartAsync, StopAsync);

    /// <summary>Looks once, if that is this silo's turn; gives how many shards were woken.</summary>
    public async Task<int> LookAsync(CancellationToken cancellation)
    {
        if (silo.Node is not { } node || !directory.IsEldestHost(self.SiloAddress))
        {
            return 0;
        }

        var open = directory.Silos.SelectMany(s => directory.ReportOf(s.Address)?.Shards ?? []).Select(static s => s.TryGetShard(out var id) ? id : default).ToHashSet();
        var woken = await new IdleShards(silo.Maps, node, LogFailed).LookAsync(open.Contains, WakeAsync, cancellation);
        if (woken > 0)
        {
            LogWoken(woken);
        }

        return woken;
    }

    /// <inheritdoc/>
    public void Dispose() => stopping.Dispose();

    private Task StartAsync(CancellationToken cancellation)
    {
        if (silo.Node is not null && silo.Options.IdleCareEvery > TimeSpan.Zero)
        {
            work = Task.Run(RunAsync, CancellationToken.None);
        }

        return Task.CompletedTask;
    }

    private async Task StopAsync(CancellationToken cancellation)
    {
        await stopping.CancelAsync();
        await work;
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(silo.Options.IdleCareEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping.Token))
            {
                try
                {
                    await LookAsync(stopping.Token);
                }
                catch (IOException e)
                {
                    LogFailed(e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The silo is leaving.
        }
    }

    private async Task WakeAsync(ShardId shard)
    {
        try
        {
            await grains.GetGrain<IShardGrain>(ShardKey.Of(shard)).WakeAsync();
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            LogFailed($"shard {shard} could not be opened for its blocks' sake, and will be: {e.Message}");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Shards} shards that nobody calls were opened, because something is due for their blocks")]
    private partial void LogWoken(int shards);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Problem}")]
    private partial void LogFailed(string problem);
}
