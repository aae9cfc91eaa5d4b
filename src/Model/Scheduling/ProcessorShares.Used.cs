namespace Metrics.Model;

/// <content>What tenants have used, and who of them has used most. All of it is guarded by the lock.</content>
public sealed partial class ProcessorShares
{
    private const int SweepAt = 1024;

    private readonly long credit = InStamps(Credit, time);
    private readonly long presence = InStamps(Presence, time);
    private readonly Dictionary<(TenantId Tenant, ProcessorUse Use), ProcessorShare> shares = [];
    private ProcessorShare? heaviest;
    private ProcessorShare? heaviestOther;
    private long comparedAt;
    private long floor;
    private int sweepAt = SweepAt;

    private ProcessorShare ShareOf(TenantId tenant, ProcessorUse use)
    {
        if (!shares.TryGetValue((tenant, use), out var share))
        {
            if (shares.Count >= sweepAt)
            {
                Sweep();
            }

            shares.Add((tenant, use), share = new ProcessorShare(tenant, use));
        }

        Wake(share);
        return share;
    }

    /// <summary>Takes from an idle tenant what it has saved up.</summary>
    private void Wake(ProcessorShare share)
    {
        share.LastSeen = time.GetTimestamp();
        if (share.Running + share.Waiting == 0)
        {
            ChargeAll();
            share.Used = Math.Max(share.Used, floor - credit);
        }
    }

    private void Sweep()
    {
        foreach (var (key, share) in shares)
        {
            if (share.Running + share.Waiting == 0 && share.Used <= floor - credit)
            {
                shares.Remove(key);
            }
        }

        sweepAt = Math.Max(SweepAt, 2 * shares.Count);
    }

    private void ChargeAll()
    {
        var now = time.GetTimestamp();
        foreach (var turn in running)
        {
            var used = now - turn.Since;
            turn.Since = now;
            turn.Attained += used;
            turn.Class = Math.Max(turn.Class, ClassOf(turn.Attained));
            turn.Share.Used += used;
        }

        // The floor is who has used least of those that want any.
        var least = long.MaxValue;
        foreach (var turn in running)
        {
            least = Math.Min(least, turn.Share.Used);
        }

        foreach (var turn in waiting)
        {
            least = Math.Min(least, turn.Share.Used);
        }

        floor = least == long.MaxValue ? floor : Math.Max(floor, least);
    }

    private long MostUsed()
    {
        var most = long.MinValue;
        foreach (var turn in running)
        {
            most = Math.Max(most, turn.Share.Used);
        }

        return most;
    }

    /// <summary>Whether there are other tenants, and none of them had used as much when they were last compared, a slice ago at most.</summary>
    private bool HasHadMost(ProcessorShare share)
    {
        var now = time.GetTimestamp();
        if (heaviest is null || now - comparedAt >= slice)
        {
            Compare(now);
        }

        return heaviest?.Tenant == share.Tenant && heaviestOther is not null && share.Used > heaviestOther.Used;
    }

    /// <summary>Finds who has used most of those that are there, and who of all other tenants.</summary>
    private void Compare(long now)
    {
        comparedAt = now;
        heaviest = heaviestOther = null;
        foreach (var share in shares.Values)
        {
            if (share.LastSeen < now - presence && share.Running + share.Waiting == 0)
            {
                continue;
            }

            if (heaviest is null || share.Used > heaviest.Used)
            {
                heaviestOther = heaviest is not null && heaviest.Tenant != share.Tenant ? heaviest : heaviestOther;
                heaviest = share;
            }
            else if (share.Tenant != heaviest.Tenant && (heaviestOther is null || share.Used > heaviestOther.Used))
            {
                heaviestOther = share;
            }
        }
    }
}
