using Metrics.Cluster;
using Metrics.Model;
using Metrics.Rules.Groups;

namespace Metrics.Gateway.Rules;

/// <summary>A tenant's rules in this process: all of its groups as last read, and those among them that are evaluated here.</summary>
/// <param name="tenant">Whose they are.</param>
/// <param name="own">Makes what evaluates them; asked for when the first is for this process.</param>
internal sealed class TenantPlace(TenantId tenant, Func<TenantPlace.OwnedRules> own) : IAsyncDisposable
{
    private readonly SemaphoreSlim changing = new(1, 1);
    private volatile OwnedRules? owned;
    private IReadOnlyList<PlacedGroup> groups = [];
    private bool isClosed;

    /// <summary>What is evaluated here; null while nothing is.</summary>
    public OwnedRules? Owned => owned;

    /// <summary>The groups that are evaluated here, ascending by file and name.</summary>
    public IReadOnlyList<RuleGroup> Groups => owned?.Rules.Groups ?? [];

    /// <summary>Reads the groups and puts them in force, one change after the other.</summary>
    /// <param name="read">Gives all groups of the tenant.</param>
    /// <param name="shares">Which are for this process; null for all.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task LoadAsync(Func<Task<IReadOnlyList<PlacedGroup>>> read, Func<RuleShares?> shares, CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            groups = await read();
            await ShareAsync(shares(), cancellation);
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>Takes over and lets go as the processes share the groups now.</summary>
    public async Task ShareAsync(Func<RuleShares?> shares, CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            await ShareAsync(shares(), cancellation);
        }
        finally
        {
            changing.Release();
        }
    }

    /// <summary>Lets go of all groups, and takes no more.</summary>
    public async ValueTask DisposeAsync()
    {
        await changing.WaitAsync();
        try
        {
            isClosed = true;
            if (owned is { } rules)
            {
                await rules.Rules.DisposeAsync();
                await rules.Notifier.DisposeAsync();
            }
        }
        finally
        {
            changing.Release();
        }
    }

    private async Task ShareAsync(RuleShares? shares, CancellationToken cancellation)
    {
        bool IsMine(string group) => shares is null || shares.IsMine(tenant, group);
        if (isClosed || (owned is null && !groups.Any(g => IsMine(g.Spec.Name))))
        {
            return;
        }

        await (owned ??= own()).Rules.LoadAsync(groups, IsMine, cancellation);
    }

    /// <summary>What evaluates a tenant's rules.</summary>
    /// <param name="Rules">The rules.</param>
    /// <param name="Notifier">Where their alerts go.</param>
    internal sealed record OwnedRules(TenantRules Rules, TenantNotifier Notifier);
}
