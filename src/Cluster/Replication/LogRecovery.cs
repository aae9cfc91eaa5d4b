namespace Metrics.Cluster;

/// <summary>How a new owner takes over a log: fences the old one, finds what was acknowledged, brings that to a quorum, and opens the log in its own epoch (docs/replication.md, Recovery).</summary>
/// <remarks>One for each opening; an attempt that fails is simply made again, from the beginning.</remarks>
internal sealed class LogRecovery
{
    private readonly Metrics.Model.ShardId shard;
    private readonly ManifestFile manifest;
    private readonly ReplicationServices services;
    private long joins;

    /// <summary>Makes the recovery of a shard's log by the owner that the manifest file stands for.</summary>
    public LogRecovery(Metrics.Model.ShardId shard, ManifestFile manifest, ReplicationServices services)
    {
        this.shard = shard;
        this.manifest = manifest;
        this.services = services;
    }

    private ReplicationOptions Options => services.Options;

    private NodeId Self => services.Replicas.Node;

    /// <summary>Takes the log over, trying for as long as the options say. A log of one replica that stays away for the grace time is set down as lost, and another one begun.</summary>
    /// <exception cref="LogUnavailableException">Too few replicas can be reached.</exception>
    /// <exception cref="EpochLostException">A later owner has the shard.</exception>
    /// <exception cref="IOException">Object storage or this node's disk failed.</exception>
    public async Task<LogTakeover> OpenAsync(CancellationToken cancellation)
    {
        var since = services.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return await TryOpenAsync(cancellation);
            }
            catch (LogUnavailableException e)
            {
                var waited = services.Time.GetElapsedTime(since);
                var mayAbandon = manifest.Current.Log is { } log && (log.Last.Acks == 1 || Options.AbandonsUnavailable);
                if (mayAbandon && waited >= Options.Grace)
                {
                    await AbandonAsync(cancellation);
                }
                else if (waited >= Options.OpenTimeout && !mayAbandon)
                {
                    throw;
                }

                services.Report($"shard {shard}: {e.Message}; it will be tried again");
                await Task.Delay(Options.RetryAfter, services.Time, cancellation);
            }
        }
    }

    private async Task<LogTakeover> TryOpenAsync(CancellationToken cancellation)
    {
        await manifest.SyncAsync(cancellation);
        var described = manifest.Current.Log ?? NewLog();
        var term = new LogTerm(new LogId(shard, described.Lineage), manifest.Current.Epoch, services);
        var local = services.Replicas.Get(term.Log);
        var fenced = await FenceAsync(term, described, cancellation);
        var (committed, end) = Judge(described, fenced);
        await new LogCopy(term.Log, term.Epoch, local, services).RunAsync(described, end, cancellation);

        // Its own records come after the end; until a quorum of the new ensemble holds all before, the manifest names the old one, and the next owner would find it as it was.
        var (members, joined) = await GatherAsync(term, described, fenced, committed, end, cancellation);
        var range = new EnsembleRange(committed, Options.Quorum, members);
        var leader = new LogLeader(term, local, described.History, described.Start, end, range);
        try
        {
            leader.Connect(joined);
            if (end > committed && Options.Mutant != Mutant.OpensBeforeReplicating)
            {
                await ReplicateAsync(term.Log, leader, end, cancellation);
            }

            var opened = (described with { History = WithEpoch(described.History, term.Epoch, end) }).WithRange(range, joined.Keys);
            await manifest.SwapAsync(now => now with { Log = opened }, cancellation);
            leader.Open(Options.Mutant == Mutant.KeepsOldEpochInRecords ? described.History : opened.History.With(term.Epoch, end));
            return new LogTakeover(term, leader, () => ++joins);
        }
        catch
        {
            await leader.DisposeAsync();
            throw;
        }
    }

    /// <summary>The first log of a shard, or the next one after one was lost; in the manifest when it is open.</summary>
    private ManifestLog NewLog() => new() { Lineage = manifest.Owner, History = EpochHistory.Empty, Ranges = [new EnsembleRange(0, 1, [Self.Value])] };

    private Task AbandonAsync(CancellationToken cancellation) => manifest.SwapAsync(
        now => now.Log is not { } log ? now : now with
        {
            Log = null,
            LostLogs = [.. now.LostLogs, new LostLog(log.Lineage, log.Start, log.History, log.Nodes, log.Checkpoint)],
        },
        cancellation).AsTask();

    /// <summary>Makes all members that can be reached promise the new epoch; gives their answers, from enough of the last range that no acknowledged record is missed and no further one possible.</summary>
    private async Task<Dictionary<string, ReplicaAnswer>> FenceAsync(LogTerm term, ManifestLog described, CancellationToken cancellation)
    {
        if (Options.Mutant == Mutant.SkipsFence)
        {
            return await PeekAsync(term, described, cancellation);
        }

        var request = new BeginRequest(term.Epoch, described.Start, described.History);
        var asked = described.Nodes.Select(member => AskAsync(term, member, request, cancellation)).ToList();
        var answers = new Dictionary<string, ReplicaAnswer>(StringComparer.Ordinal);
        var needed = Options.Mutant == Mutant.FencesOneOnly ? 1 : described.Last.FenceQuorum;
        var everyone = Task.WhenAll(asked);
        while (asked.Count > 0 && Whole(described.Last, answers) < needed)
        {
            Take(await Task.WhenAny(asked));
        }

        // With enough the protocol can go on; who answers a little later may save a copy.
        await Task.WhenAny(everyone, Task.Delay(Options.RetryAfter, services.Time, cancellation));
        asked.FindAll(a => a.IsCompleted).ForEach(Take);
        return Whole(described.Last, answers) is var whole && whole >= needed
            ? answers
            : throw new LogUnavailableException(term.Log, $"{whole} of {string.Join(", ", described.Last.Members)} answered and have lost nothing, {needed} are needed");

        void Take(Task<(string Member, ReplicaAnswer? Answer)> done)
        {
            asked.Remove(done);
            var (member, answer) = done.GetAwaiter().GetResult();
            if (answer is not null)
            {
                answers[member] = answer;
            }
        }
    }

    private static int Whole(EnsembleRange range, Dictionary<string, ReplicaAnswer> answers) => range.Members.Count(m => answers.TryGetValue(m, out var answer) && answer.IsWhole);

    private async Task<Dictionary<string, ReplicaAnswer>> PeekAsync(LogTerm term, ManifestLog described, CancellationToken cancellation)
    {
        var answers = new Dictionary<string, ReplicaAnswer>(StringComparer.Ordinal);
        foreach (var member in described.Nodes)
        {
            if ((await AskAsync(term, member, new BeginRequest(0, described.Start, described.History), cancellation)).Answer is { } answer)
            {
                answers[member] = answer;
            }
        }

        return answers.Count > 0 ? answers : throw new LogUnavailableException(term.Log, "nobody answered");
    }

    private async Task<(string Member, ReplicaAnswer? Answer)> AskAsync(LogTerm term, string member, BeginRequest request, CancellationToken cancellation)
    {
        ReplicaAnswer answer;
        try
        {
            answer = await term.Peer(new NodeId(member)).AskAsync(request, cancellation).AsTask().WaitAsync(Options.RequestTimeout, services.Time, cancellation);
        }
        catch (Exception e) when (e is IOException or TimeoutException or InvalidDataException)
        {
            return (member, null);
        }

        return answer.Status switch
        {
            ReplicaStatus.Done => (member, answer),
            ReplicaStatus.Fenced => throw new EpochLostException(shard, term.Epoch, answer.Promised),
            _ => (member, null),
        };
    }

    /// <summary>Until before which record all are acknowledged for certain, and where the log ends: after the last record that may be acknowledged, or was at least written by the last owner.</summary>
    private (long Committed, long End) Judge(ManifestLog described, Dictionary<string, ReplicaAnswer> fenced)
    {
        var whole = described.Last.Members.Where(fenced.ContainsKey).Select(m => fenced[m]).Where(a => a.IsWhole).ToList();
        if (whole.Count == 0)
        {
            whole = [.. fenced.Values];
        }

        // What is before the start is in blocks, whoever still holds it.
        var least = Math.Max(described.Start, described.Last.First);
        var committed = Math.Max(least, fenced.Values.Max(a => a.Committed));
        var end = Options.Mutant switch
        {
            Mutant.RecoversShortest => Math.Max(whole.Min(a => a.Next), least),
            Mutant.ReusesNumbers => committed,
            _ => Math.Max(whole.Max(a => a.Next), least),
        };
        committed = Options.Mutant == Mutant.None ? committed : Math.Min(committed, end);
        return committed <= end && (described.History.LastFirst <= end || Options.Mutant != Mutant.None)
            ? (committed, end)
            : throw new ReplicationInvariantException(
                $"the log {described.Lineage} ends at {end}, but records before {committed} are acknowledged and epoch {described.History.LastEpoch} began at {described.History.LastFirst}");
    }

    /// <summary>The new ensemble: this node, the members that answered, and others until there are enough. Those whose log can't be continued join at the first record that is not acknowledged for certain.</summary>
    private async Task<(List<string> Members, Dictionary<string, (long Join, long At)> Joined)> GatherAsync(
        LogTerm term, ManifestLog described, Dictionary<string, ReplicaAnswer> fenced, long committed, long end, CancellationToken cancellation)
    {
        var members = new List<string> { Self.Value };
        var joined = new Dictionary<string, (long Join, long At)>(StringComparer.Ordinal);
        var known = fenced.Where(f => f.Key != Self.Value && described.Last.Members.Contains(f.Key, StringComparer.Ordinal)).OrderBy(f => f.Value.IsDamaged).ThenByDescending(f => f.Value.Next).Select(f => f.Key);
        var others = services.Choice(shard, [.. described.Nodes.Select(n => new NodeId(n))]).Select(n => n.Value);
        foreach (var node in known.Concat(others).Distinct(StringComparer.Ordinal).Where(n => n != Self.Value).ToList())
        {
            if (members.Count == Options.Factor)
            {
                break;
            }

            // What can be continued is: it may be the copy that another one lacks.
            var continues = fenced.TryGetValue(node, out var held) && !held.IsDamaged && held.First < held.Next && held.Next >= described.Start;
            var join = continues ? 0 : ++joins;
            var (_, answer) = await AskAsync(term, node, new BeginRequest(term.Epoch, described.Start, described.History, join, committed, end), cancellation);
            if (answer is { IsDamaged: false } && answer.Next >= described.Start)
            {
                members.Add(node);
                if (join != 0)
                {
                    joined[node] = (join, committed);
                }
            }
        }

        return members.Count >= Options.Quorum
            ? (members, joined)
            : throw new LogUnavailableException(term.Log, $"only {string.Join(", ", members)} can hold it, and an acknowledgement needs {Options.Quorum}");
    }

    private async Task ReplicateAsync(LogId log, LogLeader leader, long end, CancellationToken cancellation)
    {
        try
        {
            await leader.CommitAsync(end - 1).WaitAsync(Options.LostAfter + Options.RequestTimeout, services.Time, cancellation);
        }
        catch (TimeoutException)
        {
            throw new LogUnavailableException(log, $"no quorum took the records before {end} in time");
        }
    }

    private EpochHistory WithEpoch(EpochHistory history, long epoch, long end) =>
        Options.Mutant is Mutant.SkipsHistory or Mutant.KeepsOldEpochInRecords ? history : history.With(epoch, end);
}

/// <summary>A log that was taken over.</summary>
/// <param name="Term">Which log, in which epoch.</param>
/// <param name="Leader">Its leader, open.</param>
/// <param name="NextJoin">Numbers the attempts to bring members in.</param>
internal sealed record LogTakeover(LogTerm Term, LogLeader Leader, Func<long> NextJoin);
