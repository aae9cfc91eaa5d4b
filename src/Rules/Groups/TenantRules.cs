using Metrics.Model;
using Metrics.Rules.Files;

namespace Metrics.Rules.Groups;

/// <summary>A group and the file or namespace it stands in.</summary>
public sealed record PlacedGroup(string File, RuleGroupSpec Spec);

/// <summary>All rules of one tenant at their owner: runs the groups, and moves their state along when they change.</summary>
/// <remarks>Thread-safe.</remarks>
/// <param name="services">What the rules work with.</param>
/// <param name="states">Where state is kept beyond this owner; null for nowhere.</param>
/// <param name="owner">Who this is: another owner's claim upon a tick is respected.</param>
public sealed class TenantRules(RuleServices services, IRuleStateStore? states = null, RuleOwner? owner = null) : IAsyncDisposable
{
    /// <summary>Groups that are taken over side by side, when there are many: each waits for storage twice.</summary>
    private const int TakeoversAtOnce = 16;

    private readonly SemaphoreSlim changing = new(1, 1);
    private readonly SemaphoreSlim gate = new(Math.Max(services.Options.MaxConcurrentEvaluations, 1));
    private readonly CancellationTokenSource closing = new();
    private readonly RuleOwner self = owner ?? RuleOwner.Beginning("");
    private Dictionary<string, GroupRunner> runners = new(StringComparer.Ordinal);
    private List<Task> endings = [];
    private HashSet<string> elsewhere = new(StringComparer.Ordinal);
    private bool wasLoaded;
    private long made;

    /// <summary>The groups, ascending by file and name.</summary>
    public IReadOnlyList<RuleGroup> Groups => [.. Volatile.Read(ref runners).Values
        .Select(static r => r.Group).OrderBy(static g => g.File, StringComparer.Ordinal).ThenBy(static g => g.Name, StringComparer.Ordinal)];

    /// <summary>Makes these the tenant's groups. Those that are as before run on undisturbed; a changed one, or one that moved to another file, keeps the state of its rules; the series of rules that are gone end.</summary>
    /// <exception cref="ArgumentException">Two groups share file and name.</exception>
    public Task LoadAsync(IReadOnlyList<PlacedGroup> groups, CancellationToken cancellation) => LoadAsync(groups, static _ => true, cancellation);

    /// <summary>The same when the tenant's groups are shared out between several owners: those that are not for this one are let go, and taken over by whomever they are for.</summary>
    /// <param name="groups">All groups of the tenant.</param>
    /// <param name="isMine">Which of them are evaluated here; it decides by the name alone, so that a group that moves to another file stays where its state is.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ArgumentException">Two groups share file and name.</exception>
    public async Task LoadAsync(IReadOnlyList<PlacedGroup> groups, Func<string, bool> isMine, CancellationToken cancellation)
    {
        await changing.WaitAsync(cancellation);
        try
        {
            var next = new Dictionary<string, GroupRunner>(StringComparer.Ordinal);
            var (seen, others) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
            var fresh = new List<PlacedGroup>();
            foreach (var placed in groups)
            {
                var key = RuleGroup.KeyOf(placed.File, placed.Spec.Name);
                if (!seen.Add(key))
                {
                    throw new ArgumentException($"two groups are called {key}", nameof(groups));
                }

                if (!isMine(placed.Spec.Name))
                {
                    others.Add(key);
                }
                else if (runners.TryGetValue(key, out var running) && IsSame(running.Group.Spec, placed.Spec))
                {
                    next.Add(key, running);
                }
                else
                {
                    fresh.Add(placed);
                }
            }

            await ReplaceAsync(next, fresh, others, cancellation);
            elsewhere = others;
            wasLoaded = true;
        }
        finally
        {
            changing.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await changing.WaitAsync();
        GroupRunner.Cancel(closing);
        await Task.WhenAll(runners.Values.Select(static r => r.DisposeAsync().AsTask()).Concat(endings));
        runners = new Dictionary<string, GroupRunner>(StringComparer.Ordinal);
        closing.Dispose();
    }

    private async Task ReplaceAsync(Dictionary<string, GroupRunner> next, List<PlacedGroup> fresh, HashSet<string> others, CancellationToken cancellation)
    {
        var stopped = runners.Where(r => !next.ContainsKey(r.Key)).ToDictionary(StringComparer.Ordinal);
        await Task.WhenAll(stopped.Values.Select(static r => r.DisposeAsync().AsTask()));
        var gone = stopped.Where(s => !others.Contains(s.Key)).ToDictionary(StringComparer.Ordinal);
        using var turns = new SemaphoreSlim(TakeoversAtOnce);
        var starting = new List<Task<GroupRunner>>();
        foreach (var placed in fresh)
        {
            starting.Add(MakeAsync(placed, TakePredecessor(gone, RuleGroup.KeyOf(placed.File, placed.Spec.Name), placed), turns, cancellation));
        }

        var started = await Task.WhenAll(starting);
        foreach (var runner in started)
        {
            next.Add(runner.Group.Key, runner);
        }

        endings = [.. endings.Where(static e => !e.IsCompleted), .. gone.Values.Select(EndAsync)];
        Volatile.Write(ref runners, next);
        foreach (var runner in started)
        {
            runner.Start();
        }
    }

    /// <summary>The group that a new one continues: of the same key, else of the same name in another file.</summary>
    private static RuleGroup? TakePredecessor(Dictionary<string, GroupRunner> gone, string key, PlacedGroup placed)
    {
        if (!gone.Remove(key, out var runner)
            && gone.FirstOrDefault(s => s.Value.Group.Name == placed.Spec.Name) is { Value: { } moved, Key: { } movedKey })
        {
            gone.Remove(movedKey);
            runner = moved;
        }

        // One that still waited for another owner knows nothing.
        return runner is { IsHeld: true } ? runner.Group : null;
    }

    /// <summary>A group ready to start, with the state of its predecessor here or of another owner.</summary>
    private async Task<GroupRunner> MakeAsync(PlacedGroup placed, RuleGroup? predecessor, SemaphoreSlim turns, CancellationToken cancellation)
    {
        var mayHaveRun = !wasLoaded || elsewhere.Contains(RuleGroup.KeyOf(placed.File, placed.Spec.Name));
        var group = new RuleGroup(placed.File, placed.Spec, services, gate, restores: mayHaveRun && predecessor is null);
        var runner = new GroupRunner(group, states, self with { Run = $"{self.Run}.{++made}" });
        await turns.WaitAsync(cancellation);
        try
        {
            if (predecessor is not null)
            {
                group.Continue(predecessor.Capture(), predecessor.Key == group.Key && predecessor.IntervalMs == group.IntervalMs);
            }

            await runner.TakeOverAsync(hasState: predecessor is not null, cancellation);
            return runner;
        }
        finally
        {
            turns.Release();
        }
    }

    /// <summary>Marks the series of a group that is gone as ended, after two intervals in which another may have taken them over.</summary>
    private async Task EndAsync(GroupRunner ended)
    {
        var gone = ended.Group;
        try
        {
            var state = gone.Capture();
            var atMs = Math.Max(services.Time.GetUtcNow().ToUnixTimeMilliseconds(), (state.LastTickMs ?? 0) + 1) - gone.QueryOffsetMs;
            await Task.Delay(TimeSpan.FromMilliseconds(2 * gone.IntervalMs), services.Time, closing.Token);
            if (!ended.IsHeld)
            {
                // It waited for another owner, who ends it; unless that one is dead.
                if (states is null || await states.LoadAsync(gone.Key, closing.Token) is not { } left || left.LastTickMs > atMs)
                {
                    return;
                }

                state = left;
            }

            var live = Groups.SelectMany(static g => g.Rules).SelectMany(static r => r.PreviousSeries).ToHashSet();
            RuleWrite[] markers =
            [
                .. state.EndedSeries.Concat(state.Rules.SelectMany(static r => r.PreviousSeries)).Where(s => !live.Contains(s))
                    .Select(s => new RuleWrite(s, atMs, StaleMarker.Value)),
            ];
            if (markers.Length > 0)
            {
                await services.Appender.AppendAsync(markers, closing.Token);
            }

            if (states is not null)
            {
                await states.RemoveAsync(gone.Key, closing.Token);
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            // The tenant moves; the next owner finds no such group, and readers see the series end by their lookback.
        }
        catch (Exception e)
        {
            services.Observer?.OnUpkeepFailed(gone.Key, "stale markers of a group that is gone", e);
        }
    }

    private static bool IsSame(RuleGroupSpec one, RuleGroupSpec other) => ReferenceEquals(one, other) || RuleFileWriter.Write(one) == RuleFileWriter.Write(other);
}
