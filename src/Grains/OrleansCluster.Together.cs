using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>What is asked of all silos at once.</summary>
public sealed partial class OrleansCluster
{
    /// <summary>How long a silo may take to say what it counted: whoever is gone is out of the membership after a few seconds.</summary>
    private static readonly TimeSpan countsPatience = TimeSpan.FromSeconds(5);

    private readonly SiloCounts counts;

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
            s => s.Card.Http.Length > 0 && !s.Address.Equals(self.SiloAddress),
            async s => TenantCounts.Read((await silos.Of(s.Address).CountsAsync(names).WaitAsync(countsPatience, time, cancellation)).Bytes.Span));
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

    /// <summary>Asks the active silos that are wanted, side by side.</summary>
    /// <exception cref="IOException">One did not answer.</exception>
    private async Task<T[]> EachAsync<T>(Func<SiloDirectory.Silo, bool> wanted, Func<SiloDirectory.Silo, Task<T>> ask) => await Task.WhenAll(directory.Silos.Where(s => s.Status == SiloStatus.Active && wanted(s)).Select(async s =>
    {
        try
        {
            return await ask(s);
        }
        catch (Exception e) when (e is OrleansException or TimeoutException or InvalidDataException)
        {
            throw new IOException($"silo {s.Address} did not answer ({e.GetType().Name})", e);
        }
    }));
}
