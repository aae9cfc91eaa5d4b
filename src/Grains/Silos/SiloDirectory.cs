using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Grains;

/// <summary>The silos there are, by membership, and what each last said of itself. Thread-safe.</summary>
internal sealed class SiloDirectory(IClusterMembershipService membership)
{
    private readonly ConcurrentDictionary<SiloAddress, SiloReport> reports = new();
    private volatile View view = new(MembershipVersion.MinValue, []);

    /// <summary>The silos that are not dead.</summary>
    public IReadOnlyList<Silo> Silos => Current.Silos;

    /// <summary>The silos that may be given shards and replicas now.</summary>
    public IReadOnlyList<ShardHost> Hosts => [.. Current.Silos.Where(IsHost).Select(s => new ShardHost(s.Card.Node, s.Card.Zone, ReportOf(s.Address)?.Load ?? default) { Pool = s.Card.Pool })];

    /// <summary>The silos that take requests.</summary>
    public int Gateways => Current.Gateways;

    private View Current
    {
        get
        {
            var snapshot = membership.CurrentSnapshot;
            var seen = view;
            if (seen.Version != snapshot.Version)
            {
                seen = View.Of(snapshot);
                view = seen;
                foreach (var forgotten in reports.Keys.Where(a => !snapshot.Members.ContainsKey(a)))
                {
                    reports.TryRemove(forgotten, out _);
                }
            }

            return seen;
        }
    }

    /// <summary>The silo that has a node's disk, or null when there is none.</summary>
    public SiloAddress? Find(NodeId node)
    {
        foreach (var silo in Current.Silos)
        {
            if (silo.Card.Node == node)
            {
                return silo.Address;
            }
        }

        return null;
    }

    /// <summary>True for the eldest of the active silos that hold shards: what one does for all, it does, and when it leaves the next one begins.</summary>
    public bool IsEldestHost(SiloAddress silo) => IsEldest(silo, static card => card.HoldsShards);

    /// <summary>The same of those that take requests.</summary>
    public bool IsEldestGateway(SiloAddress silo) => IsEldest(silo, static card => card.Http.Length > 0);

    /// <summary>What a silo last said, or null; of one that is gone too, until membership forgets it.</summary>
    public SiloReport? ReportOf(SiloAddress silo) => reports.GetValueOrDefault(silo);

    /// <summary>True when another silo is about to leave, and said so before this one did. Of any that leave together all agree on who is first.</summary>
    public bool LeavesBefore(SiloAddress self, DateTimeOffset endsSince) =>
        Current.Silos.Any(s => !s.Address.Equals(self) && ReportOf(s.Address)?.EndsSince is { } since && (since < endsSince || (since == endsSince && s.Address.CompareTo(self) < 0)));

    /// <summary>Notes what a silo says.</summary>
    public void Hear(SiloAddress silo, SiloReport report) => reports[silo] = report;

    /// <summary>True for a shard that a silo says it owns; of what was opened or closed within the last seconds nothing is known yet.</summary>
    public bool IsOpen(ShardId shard)
    {
        var range = shard.Range.ToString();
        foreach (var silo in Current.Silos)
        {
            foreach (var owned in ReportOf(silo.Address)?.Shards ?? [])
            {
                if (owned.Tenant == shard.Tenant.Value && owned.Range == range)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Nodes that may become followers of a shard, the best first.</summary>
    public IReadOnlyList<NodeId> Followers(ShardId shard, IReadOnlyList<NodeId> members) => FollowerRanking.Of(shard, Hosts, members);

    /// <summary>What a tenant sends a second to the silos other than one, as they last said.</summary>
    public double DemandElsewhere(string tenant, SiloAddress self)
    {
        var sum = 0.0;
        foreach (var silo in Current.Silos)
        {
            if (!silo.Address.Equals(self) && ReportOf(silo.Address)?.Demands is { } demands && demands.TryGetValue(tenant, out var demand))
            {
                sum += demand;
            }
        }

        return sum;
    }

    private bool IsEldest(SiloAddress silo, Func<SiloCard, bool> among) =>
        Current.Silos.Where(s => s.Status == SiloStatus.Active && among(s.Card)).MinBy(static s => (s.Address.Generation, s.Address.ToParsableString()))?.Address.Equals(silo) == true;

    private bool IsHost(Silo silo) => silo.Status == SiloStatus.Active && silo.Card.HoldsShards && ReportOf(silo.Address) is not { IsLeaving: true };

    /// <summary>A silo.</summary>
    /// <param name="Address">Where it is.</param>
    /// <param name="Status">What membership believes.</param>
    /// <param name="Card">What it says of itself.</param>
    internal sealed record Silo(SiloAddress Address, SiloStatus Status, SiloCard Card);

    private sealed record View(MembershipVersion Version, IReadOnlyList<Silo> Silos)
    {
        public int Gateways { get; } = Silos.Count(static s => s.Status == SiloStatus.Active && s.Card.Http.Length > 0);

        public static View Of(ClusterMembershipSnapshot snapshot)
        {
            var silos = new List<Silo>(snapshot.Members.Count);
            foreach (var member in snapshot.Members.Values)
            {
                if (member.Status is not (SiloStatus.Dead or SiloStatus.None) && SiloCard.TryParse(member.Name, out var card))
                {
                    silos.Add(new Silo(member.SiloAddress, member.Status, card));
                }
            }

            // Of two with one disk, as after a restart that nobody has noticed yet, the later run is the one that lives.
            silos.Sort(static (a, b) => a.Address.Generation != b.Address.Generation ? b.Address.Generation.CompareTo(a.Address.Generation) : a.Address.CompareTo(b.Address));
            return new View(snapshot.Version, silos);
        }
    }
}
