using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>Rules of a cluster of silos: shared out between those that take requests, and do not leave. Thread-safe.</summary>
internal sealed class SiloRules(SiloDirectory directory, IServiceProvider services, ILocalSiloDetails self, TimeProvider time) : IRuleCluster
{
    /// <summary>How long another silo may take to show its rules, or to take them anew.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(10);

    private volatile IRulePeer? served;

    /// <inheritdoc/>
    public RuleShares Shares
    {
        get
        {
            var taking = Taking();
            var staying = taking.Where(s => directory.ReportOf(s.Address) is not { IsLeaving: true }).ToList();
            var evaluators = staying.Count > 0 ? staying : taking;

            // Of two runs of one silo the later comes first.
            var runs = evaluators.DistinctBy(NameOf).ToList();
            return new RuleShares(runs.Find(s => s.Address.Equals(self.SiloAddress)) is { } me ? NameOf(me) : "", [.. runs.Select(NameOf)]);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<IRulePeer> Others => [.. Taking().Where(s => !s.Address.Equals(self.SiloAddress)).Select(s => new Peer(s, Client, time))];

    /// <summary>What answers for this silo.</summary>
    /// <exception cref="InvalidOperationException">It takes no requests, or not yet.</exception>
    public IRulePeer Served => served ?? throw new InvalidOperationException("this silo has no rules");

    private SiloServiceClient Client => field ??= (SiloServiceClient)services.GetService(typeof(SiloServiceClient))!;

    /// <inheritdoc/>
    public void Serve(IRulePeer peer) => served = peer;

    private List<SiloDirectory.Silo> Taking() => [.. directory.Silos.Where(static s => s.Status == SiloStatus.Active && s.Card.Http.Length > 0)];

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
