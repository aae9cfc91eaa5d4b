using Metrics.ObjectStore;

namespace Metrics.Cluster;

/// <summary>Keeps a leader's ensemble whole: puts others in the place of lost members, brings new ones up to the older records, and writes down who holds what (docs/replication.md, Ensemble).</summary>
internal sealed class EnsembleKeeper(LogTakeover takeover, ManifestFile manifest)
{
    private readonly LogTerm term = takeover.Term;
    private readonly LogLeader leader = takeover.Leader;

    private ReplicationOptions Options => term.Options;

    /// <summary>Works until the leader has failed.</summary>
    public async Task RunAsync()
    {
        while (leader.Failure is null)
        {
            try
            {
                var wait = await MendAsync() && await CompleteAsync() ? Options.RepairEvery : Options.RetryAfter;
                if (leader.Failure is null)
                {
                    await leader.Attention.WaitAsync(wait, term.Time);
                }
            }
            catch (EpochLostException e)
            {
                leader.Fail(e);
            }
            catch (Exception e) when (e is IOException or TimeoutException or InvalidDataException)
            {
                term.Services.Report($"{term.Log}: its ensemble could not be looked after and will be: {e.Message}");
                await leader.Attention.WaitAsync(Options.RetryAfter, term.Time);
            }
            catch (Exception e)
            {
                leader.Fail(e);
            }
        }
    }

    /// <summary>Replaces lost members, and adds some when there are too few; true when the ensemble is as large as it can be.</summary>
    private async Task<bool> MendAsync()
    {
        var members = leader.Current.Members;
        var why = leader.Links.Where(l => l.Lost is not null).ToDictionary(l => l.Node.Value, l => l.Lost!, StringComparer.Ordinal);
        var lost = why.Keys.ToHashSet(StringComparer.Ordinal);
        var crowded = lost.Count == 0 && members.Count == Options.Factor;
        if (crowded)
        {
            if (!IsWhole(leader.Links) || manifest.Current.Log is not { Ranges.Count: 1 } || term.Services.Crowded?.Invoke(term.Log.Shard, [.. members.Select(static m => new NodeId(m))], term.Self) is not { } other)
            {
                return true;
            }

            // One at a time, and only when nothing else is to be mended.
            why[other.Value] = "another suits the tenant better, or lies in a zone that holds none";
            lost.Add(other.Value);
        }

        var kept = members.Where(m => !lost.Contains(m)).Take(Options.Factor).ToList();
        var joined = await InviteAsync(members, kept, lost, crowded);
        var next = kept.Concat(joined.Keys).ToList();
        if (next.Count < Options.Quorum || (joined.Count == 0 && (crowded || next.Count == members.Count)))
        {
            return crowded || lost.Count == 0;
        }

        var range = leader.Propose(Options.Quorum, next, joined);
        var joinedAnew = joined.Where(j => j.Value.Join != 0).Select(j => j.Key).ToList();
        await SwapAsync(log => log.WithRange(range, joinedAnew));
        leader.Adopt(range);
        term.Services.Report($"{term.Log}: held by {string.Join(", ", next)} from record {range.First} on{string.Concat(why.Select(w => $"; {w.Key} is {(crowded ? "replaced" : "lost")}: {w.Value}"))}");
        return true;
    }

    /// <summary>Brings other nodes into the epoch until there are as many members as wanted; the lost ones last, if at all.</summary>
    private async Task<Dictionary<string, (long Join, long At)>> InviteAsync(IReadOnlyList<string> members, List<string> kept, HashSet<string> lost, bool othersOnly)
    {
        var joined = new Dictionary<string, (long Join, long At)>(StringComparer.Ordinal);
        var candidates = term.Services.Choice(term.Log.Shard, [.. members.Select(m => new NodeId(m))]).Select(n => n.Value).Where(n => !kept.Contains(n, StringComparer.Ordinal) && !(othersOnly && lost.Contains(n)));
        foreach (var candidate in candidates.OrderBy(lost.Contains).ToList())
        {
            if (kept.Count + joined.Count >= Options.Factor)
            {
                break;
            }

            if (await TryAskAsync(candidate, leader.Begin(candidate, 0, 0)) is not { Status: ReplicaStatus.Done } held)
            {
                continue;
            }

            // A member of older ranges with a gap in its records can't begin anew without forgetting some: it is sent all that it lacks, in order.
            var continues = held is { IsDamaged: false } && held.First > leader.Start && held.First < held.Next && manifest.Current.Log!.Nodes.Contains(candidate, StringComparer.Ordinal);
            var (join, at) = continues ? (0, 0) : (takeover.NextJoin(), leader.Committed);
            if (continues || await TryAskAsync(candidate, leader.Begin(candidate, join, at)) is { Status: ReplicaStatus.Done, IsDamaged: false })
            {
                joined[candidate] = (join, at);
            }
        }

        return joined;
    }

    private async Task<ReplicaAnswer?> TryAskAsync(string node, BeginRequest request)
    {
        try
        {
            var answer = await term.Peer(new NodeId(node)).AskAsync(request, CancellationToken.None).AsTask().WaitAsync(Options.RequestTimeout, term.Time);
            if (answer.Status == ReplicaStatus.Fenced)
            {
                leader.OnFenced(answer.Promised);
            }

            return answer;
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            return null; // The next one is asked.
        }
    }

    /// <summary>Copies older records to members that lack them; when all hold all, one range says so. True when there is nothing left to do.</summary>
    private async Task<bool> CompleteAsync()
    {
        var links = leader.Links;
        foreach (var link in links.Where(l => l.Lost is null && Options.Mutant != Mutant.CollapsesWithoutCatchUp))
        {
            while (leader.Failure is null && link.Lost is null && Missing(link) is { } from)
            {
                var answer = await link.AskAsync(await leader.BatchAsync(from, before: link.Held!.First, behind: true));
                if (answer.Status != ReplicaStatus.Done)
                {
                    break;
                }
            }
        }

        if (manifest.Current.Log is not { Ranges.Count: > 1 } log)
        {
            return true;
        }

        if (!(links.Count == log.Last.Members.Count && IsWhole(links) && links.All(l => l.Match >= log.Last.First)) && Options.Mutant != Mutant.CollapsesWithoutCatchUp)
        {
            return false;
        }

        await SwapAsync(static log => log.Collapsed());
        return true;
    }

    /// <summary>True when every member holds all records from the log's start on.</summary>
    private bool IsWhole(IReadOnlyCollection<FollowerLink> links) => links.All(l => l.Lost is null && l.Held is { } held && held.First <= leader.Start);

    /// <summary>The first of the older records that a member lacks, or null.</summary>
    private long? Missing(FollowerLink link) =>
        link.Held is not { } held || held.First <= leader.Start ? null
        : held.BehindFirst < held.BehindNext && held.BehindNext >= leader.Start ? held.BehindNext
        : leader.Start;

    /// <summary>Swaps until it has happened or the epoch is lost: meanwhile both ensembles count, so nothing wrong is acknowledged, however long it takes.</summary>
    private async Task SwapAsync(Func<ManifestLog, ManifestLog> change)
    {
        while (true)
        {
            try
            {
                await manifest.SwapAsync(now => change(now.Log!) is var log && ReferenceEquals(log, now.Log) ? now : now with { Log = log }, CancellationToken.None);
                return;
            }
            catch (ObjectStoreException) when (leader.Failure is null)
            {
                await leader.Attention.WaitAsync(Options.RetryAfter, term.Time);
            }
        }
    }
}
