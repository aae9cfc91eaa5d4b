using Metrics.Model;

namespace Metrics.Grains;

/// <summary>Tells this silo's gateways which tenants they must forget. Thread-safe.</summary>
internal sealed class TenantClosings
{
    private readonly Lock gate = new();
    private Action<TenantId>? listeners;

    /// <summary>From now on a listener hears of it.</summary>
    public void Add(Action<TenantId> listener)
    {
        lock (gate)
        {
            listeners += listener;
        }
    }

    /// <summary>Takes a listener off.</summary>
    public void Remove(Action<TenantId> listener)
    {
        lock (gate)
        {
            listeners -= listener;
        }
    }

    /// <summary>A tenant is being deleted.</summary>
    public void OnClosed(TenantId tenant)
    {
        Action<TenantId>? hearing;
        lock (gate)
        {
            hearing = listeners;
        }

        hearing?.Invoke(tenant);
    }
}
