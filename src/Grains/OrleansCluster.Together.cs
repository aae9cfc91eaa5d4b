using System.Globalization;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>What is asked of all silos at once.</summary>
public sealed partial class OrleansCluster
{
    /// <summary>How long a silo may take to say what it counted, or which queries wait there: whoever is gone is out of the membership after a few seconds.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(5);

    private readonly SiloCounts counts;
    private readonly SiloQueries queries;

    /// <inheritdoc/>
    public string ProcessName => NameOf(self.SiloAddress);

    /// <inheritdoc/>
    public async ValueTask FlushAsync(CancellationToken cancellation)
    {
        var problems = await EachAsync(static s => s.Card.HoldsShards, s => silos.Of(s.Address).FlushAsync().WaitAsync(cancellation));
        if (problems.FirstOrDefault(static p => p is not null) is { } problem)
        {
            throw new IOException(problem);
        }
    }

    /// <inheritdoc/>
    public void ServeCounts(TenantCounting counting) => counts.Serve(counting);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<TenantCounts>> CountsElsewhereAsync(IReadOnlyList<TenantId> tenants, CancellationToken cancellation)
    {
        var names = tenants.Select(static t => t.Value).ToArray();
        var answers = await EachAsync(
            IsOtherGateway,
            async s => TenantCounts.Read((await silos.Of(s.Address).CountsAsync(names).WaitAsync(patience, time, cancellation)).Bytes.Span));
        var sum = new TenantCounts[tenants.Count];
        foreach (var answer in answers)
        {
            for (var i = 0; i < sum.Length && i < answer.Length; i++)
            {
                sum[i] += answer[i];
            }
        }

        return sum;
    }

    /// <inheritdoc/>
    public void ServeQueries(IListedQueries served) => queries.Served = served;

    /// <inheritdoc/>
    public async ValueTask<QueriesElsewhere> QueriesElsewhereAsync(TenantId tenant, CancellationToken cancellation)
    {
        var answers = await EachAsync(IsOtherGateway, async s =>
        {
            try
            {
                return (Queries: await AnsweredAsync(s, async to => ListedQuery.Read((await silos.Of(to.Address).QueriesAsync(tenant.Value).WaitAsync(patience, time, cancellation)).Bytes.Span)), Missing: "");
            }
            catch (IOException e)
            {
                return (Queries: [], Missing: e.Message);
            }
        });
        return new QueriesElsewhere([.. answers.SelectMany(static a => a.Queries)], [.. answers.Select(static a => a.Missing).Where(static m => m.Length > 0)]);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> StopElsewhereAsync(TenantId tenant, string process, string id, CancellationToken cancellation) =>
        (await EachAsync(s => IsOtherGateway(s) && NameOf(s.Address) == process, s => silos.Of(s.Address).StopQueryAsync(tenant.Value, id).WaitAsync(patience, time, cancellation))).Contains(true);

    /// <summary>A hash of address and start: the same on every silo, and another one after a restart.</summary>
    private static string NameOf(SiloAddress silo) => silo.GetConsistentHashCode().ToString("x8", CultureInfo.InvariantCulture);

    private bool IsOtherGateway(SiloDirectory.Silo silo) => silo.Card.Http.Length > 0 && !silo.Address.Equals(self.SiloAddress);

    /// <summary>Asks the active silos that are wanted, side by side.</summary>
    /// <exception cref="IOException">One did not answer.</exception>
    private Task<T[]> EachAsync<T>(Func<SiloDirectory.Silo, bool> wanted, Func<SiloDirectory.Silo, Task<T>> ask) =>
        Task.WhenAll(directory.Silos.Where(s => s.Status == SiloStatus.Active && wanted(s)).Select(s => AnsweredAsync(s, ask)));

    /// <summary>What a silo answers.</summary>
    /// <exception cref="IOException">It did not.</exception>
    private static async Task<T> AnsweredAsync<T>(SiloDirectory.Silo silo, Func<SiloDirectory.Silo, Task<T>> ask)
    {
        try
        {
            return await ask(silo);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException or InvalidDataException)
        {
            throw new IOException($"silo {silo.Address} did not answer ({e.GetType().Name})", e);
        }
    }
}
