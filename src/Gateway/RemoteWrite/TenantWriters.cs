using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>The writers of the tenants that write: what is known of a tenant's series is forgotten when it has sent nothing for some minutes, and costs reading their labels again when it comes back. Thread-safe.</summary>
/// <param name="time">The clock.</param>
internal sealed class TenantWriters(TimeProvider time)
{
    /// <summary>How often it is looked for writers that nobody used since the last look.</summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<TenantId, WriterInUse> writers = new();
    private int looking;

    /// <summary>How many there are.</summary>
    public int Count => writers.Count;

    /// <summary>A tenant's writer, or null.</summary>
    public TenantWriter? Find(TenantId tenant)
    {
        if (!writers.TryGetValue(tenant, out var found))
        {
            return null;
        }

        found.IsUsed = true;
        return found.Writer;
    }

    /// <summary>Puts a writer in its tenant's place, unless one is there that is the same; gives the one that is there then.</summary>
    public TenantWriter Put(TenantWriter made, Func<TenantWriter, TenantWriter, bool> isSame)
    {
        var kept = writers.AddOrUpdate(
            made.Tenant.Id, static (_, next) => new WriterInUse(next.Made), static (_, old, next) => next.IsSame(old.Writer, next.Made) ? old : new WriterInUse(next.Made), (Made: made, IsSame: isSame));
        LookLater();
        return kept.Writer;
    }

    /// <summary>Sets the clock for the next look, unless it is set: it runs only while there is something to forget.</summary>
    private void LookLater()
    {
        if (Interlocked.Exchange(ref looking, 1) == 0)
        {
            _ = ForgetIdleAsync();
        }
    }

    private async Task ForgetIdleAsync()
    {
        await Task.Delay(LookEvery, time);
        foreach (var (tenant, writer) in writers)
        {
            if (!writer.IsUsed)
            {
                writers.TryRemove(KeyValuePair.Create(tenant, writer));
            }

            writer.IsUsed = false;
        }

        Volatile.Write(ref looking, 0);
        if (!writers.IsEmpty)
        {
            LookLater();
        }
    }

    private sealed class WriterInUse(TenantWriter writer)
    {
        public TenantWriter Writer => writer;

        public volatile bool IsUsed = true;
    }
}
