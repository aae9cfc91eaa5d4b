using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>Rules of a cluster of silos: shared out between those that take requests and say that they are ready for them. Thread-safe.</summary>
/// <remarks>A silo that has just joined may not have heard the others yet, and takes all rules for its own; but they have claims upon them, which it waits for.</remarks>
internal sealed class SiloRules(SiloDirectory directory, IServiceProvider services, ILocalSiloDetails self, TimeProvider time) : IRuleCluster, IDisposable
{
    /// <summary>How long another silo may take to show its rules, or to take them anew.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim changed = new(0);
    private volatile IRulePeer? served;

    /// <inheritdoc/>
    public RuleShares Shares
    {
        get
        {
            // Of two runs of one silo the later comes first.
            var runs = Evaluators().DistinctBy(NameOf, StringComparer.Ordinal).ToList();
            return new RuleShares(runs.Find(s => s.Address.Equals(self.SiloAddress)) is { } me ? NameOf(me) : "", [.. runs.Select(NameOf)]);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<IRulePeer> Others => [.. Evaluators().Where(s => !s.Address.Equals(self.SiloAddress)).Select(s => new Peer(s, Client, time))];

    /// <summary>What answers for this silo.</summary>
    /// <exception cref="InvalidOperationException">It evaluates no rules, or not now.</exception>
    public IRulePeer Served => served ?? throw new InvalidOperationException("this silo has no rules");

    private SiloServiceClient Client => field ??= (SiloServiceClient)services.GetService(typeof(SiloServiceClient))!;

    /// <summary>True while this silo evaluates rules.</summary>
    public bool IsServing => served is not null;

    /// <inheritdoc/>
    public void Serve(IRulePeer? peer)
    {
        served = peer;
        changed.Release();
    }

    /// <summary>Completes when <see cref="IsServing"/> has changed.</summary>
    public Task ChangedAsync(CancellationToken cancellation) => changed.WaitAsync(cancellation);

    /// <inheritdoc/>
    public void Dispose() => changed.Dispose();

    private IEnumerable<SiloDirectory.Silo> Evaluators() => directory.Silos.Where(s => s.Status == SiloStatus.Active && s.Card.Http.Length > 0 && directory.ReportOf(s.Address) is { EvaluatesRules: true, IsLeaving: false });

    /// <summary>A name that a silo keeps over a restart: its disk's or, when it has none, its address.</summary>
    private static string NameOf(SiloDirectory.Silo silo) => silo.Card.HoldsShards ? silo.Card.Node.Value : silo.Card.Http;

    private sealed class Peer(SiloDirectory.Silo silo, SiloServiceClient client, TimeProvider time) : IRulePeer
    {
        public string Name => NameOf(silo);

        public async ValueTask<ReadOnlyMemory<byte>> ShowAsync(TenantId tenant, string filter, CancellationToken cancellation) =>
            (await AskAsync(client.Of(silo.Address).ShowRulesAsync(tenant.Value, filter), cancellation)).Bytes;

        public async ValueTask ReloadAsync(TenantId tenant, CancellationToken cancellation) => await AskAsync(Answered(client.Of(silo.Address).ReloadRulesAsync(tenant.Value)), cancellation);

        private static async Task<bool> Answered(Task task)
        {
            await task;
            return true;
        }

        private async Task<T> AskAsync<T>(Task<T> answer, CancellationToken cancellation)
        {
            try
            {
                return await answer.WaitAsync(patience, time, cancellation);
            }
            catch (Exception e) when (!cancellation.IsCancellationRequested) // Whatever it failed with over there arrives here as it was thrown.
            {
                throw new IOException($"silo {Name} did not answer: {e.Message}", e);
            }
        }
    }
}
