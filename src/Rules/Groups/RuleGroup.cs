using Metrics.Model;
using Metrics.Rules.Alerting;
using Metrics.Rules.Files;

namespace Metrics.Rules.Groups;

/// <summary>A group of rules: evaluates all of them at a tick and stores what they give.</summary>
/// <remarks>
/// One evaluation at a time; the caller sees to it that each tick is evaluated once. Rules are evaluated in order, those that cannot notice each other side by side; what a rule
/// writes is stored before a rule that may read it starts. What may be read at any time is safe to read.
/// </remarks>
public sealed class RuleGroup
{
    private readonly IReadOnlyList<IReadOnlyList<int>> steps;
    private readonly SemaphoreSlim? gate;
    private readonly IRuleQuery query;
    private List<Labels> endedSeries = [];
    private int restoresLeft;
    private GroupEvaluation? lastEvaluation;

    /// <summary>Makes a group that has never been evaluated.</summary>
    /// <param name="file">The file or namespace it stands in.</param>
    /// <param name="spec">What was declared.</param>
    /// <param name="services">What it works with.</param>
    /// <param name="gate">Bounds how many rules of the tenant run beside others; null for one after the other.</param>
    /// <param name="restores">True when alerts may have been active under an earlier owner whose state is lost: then they are restored from their series.</param>
    public RuleGroup(string file, RuleGroupSpec spec, RuleServices services, SemaphoreSlim? gate = null, bool restores = false)
    {
        File = file;
        Spec = spec;
        Services = services;
        this.gate = gate;
        query = services.Query.Of(spec);
        IntervalMs = spec.IntervalMs > 0 ? spec.IntervalMs : services.Options.DefaultIntervalMs;
        QueryOffsetMs = spec.QueryOffsetMs ?? services.Options.DefaultQueryOffsetMs;
        Schedule = new GroupSchedule(file, spec.Name, IntervalMs);
        Rules = [.. spec.Rules.Select(r => r.IsAlert ? (Rule)new AlertingRule(r, spec.Labels) : new RecordingRule(r, spec.Labels))];
        steps = gate is null ? [.. Enumerable.Range(0, Rules.Count).Select(i => (int[])[i])] : RuleDependencies.StepsOf(Rules);
        restoresLeft = restores ? 2 : 0;
        foreach (var rule in Rules.OfType<AlertingRule>())
        {
            rule.IsRestored = !restores;
        }
    }

    /// <summary>The file or namespace it stands in.</summary>
    public string File { get; }

    /// <summary>The name.</summary>
    public string Name => Spec.Name;

    /// <summary>File and name, as Prometheus's metrics show them.</summary>
    public string Key => KeyOf(File, Name);

    /// <summary>What was declared.</summary>
    public RuleGroupSpec Spec { get; }

    /// <summary>The distance of ticks, milliseconds.</summary>
    public long IntervalMs { get; }

    /// <summary>How far before the tick the rules look.</summary>
    public long QueryOffsetMs { get; }

    /// <summary>The most series or alerts a rule may give; 0 for no limit.</summary>
    public int Limit => Spec.Limit;

    /// <summary>When it is due.</summary>
    public GroupSchedule Schedule { get; }

    /// <summary>The rules, in order.</summary>
    public IReadOnlyList<Rule> Rules { get; }

    /// <summary>What it works with.</summary>
    public RuleServices Services { get; }

    /// <summary>The last tick that was evaluated; null before the first.</summary>
    public long? LastTickMs { get; private set; }

    /// <summary>The last evaluation; null before the first. Its rules show what it, or a later one, made of them.</summary>
    public GroupEvaluation? LastEvaluation => Volatile.Read(ref lastEvaluation);

    /// <summary>What happened so far.</summary>
    public GroupCounters Counters { get; } = new();

    /// <summary>File and name of a group, joined.</summary>
    public static string KeyOf(string file, string name) => $"{file};{name}";

    /// <summary>Evaluates every rule at a tick.</summary>
    /// <remarks>A rule that fails leaves the others alone, and says so in <see cref="Rule.LastEvaluation"/>.</remarks>
    /// <exception cref="OperationCanceledException">The group is being stopped; the tick counts as not evaluated.</exception>
    public async Task EvaluateAsync(long tickMs, CancellationToken cancellation)
    {
        if (LastTickMs >= tickMs)
        {
            throw new InvalidOperationException($"group {Key}: tick {tickMs} after tick {LastTickMs}");
        }

        var startedAt = Services.Time.GetUtcNow().ToUnixTimeMilliseconds();
        var started = Services.Time.GetTimestamp();
        Counters.CountIteration();
        long samples = 0;
        foreach (var step in steps)
        {
            samples += step.Count == 1
                ? await EvaluateAsync(Rules[step[0]], tickMs, cancellation)
                : (await Task.WhenAll(step.Select(i => EvaluateBesideOthersAsync(Rules[i], tickMs, cancellation)))).Sum();
        }

        await EndSeriesAsync(tickMs, cancellation);
        await RestoreAsync(tickMs, cancellation);
        Counters.LastSamples = samples;
        LastTickMs = tickMs;
        Volatile.Write(ref lastEvaluation, new GroupEvaluation(startedAt, Services.Time.GetElapsedTime(started)));
    }

    /// <summary>Everything that the next owner needs to go on as if nothing had happened.</summary>
    public GroupState Capture() => new(LastTickMs, [.. endedSeries], [.. Rules.Select(static r => new RuleState(
        r.Identity, [.. r.PreviousSeries], r is AlertingRule alert ? [.. alert.Alerts] : [], r is not AlertingRule { IsRestored: false }))]);

    /// <summary>Takes over from an earlier owner, or from an earlier version of the group: rules are matched by name and labels, in order. To be called before the first evaluation.</summary>
    /// <param name="state">What the other one captured.</param>
    /// <param name="keepsTick">False when the ticks of the other one tell nothing about ours, because its interval or name differ.</param>
    public void Continue(GroupState state, bool keepsTick = true)
    {
        LastTickMs = keepsTick ? state.LastTickMs : null;
        var known = state.Rules.ToLookup(static r => r.Identity, StringComparer.Ordinal);
        var taken = new Dictionary<string, int>(StringComparer.Ordinal);
        endedSeries = [.. state.EndedSeries];
        foreach (var rule in Rules)
        {
            var index = taken.GetValueOrDefault(rule.Identity);
            taken[rule.Identity] = index + 1;
            if (known[rule.Identity].Skip(index).FirstOrDefault() is { } from)
            {
                rule.PreviousSeries = from.PreviousSeries.ToHashSet();
                if (rule is AlertingRule alert)
                {
                    alert.Continue(from.Alerts);
                    alert.IsRestored |= from.IsRestored;
                }
            }
        }

        foreach (var rest in known)
        {
            foreach (var gone in rest.Skip(taken.GetValueOrDefault(rest.Key)))
            {
                endedSeries.AddRange(gone.PreviousSeries);
            }
        }

        restoresLeft = Rules.OfType<AlertingRule>().All(static r => r.IsRestored) ? 0 : restoresLeft;
    }

    /// <summary>What the group's rules and templates read; counts answers with warnings.</summary>
    internal async ValueTask<RuleVector> QueryAsync(string text, long timeMs, CancellationToken cancellation)
    {
        var answer = await query.EvaluateAsync(text, timeMs, cancellation);
        if (answer.Warnings.Count > 0)
        {
            Counters.CountWarned();
            Services.Observer?.OnWarned(Key, text, answer.Warnings);
        }

        return answer;
    }

    private async Task<long> EvaluateBesideOthersAsync(Rule rule, long tickMs, CancellationToken cancellation)
    {
        await gate!.WaitAsync(cancellation);
        try
        {
            return await EvaluateAsync(rule, tickMs, cancellation);
        }
        finally
        {
            gate.Release();
        }
    }

    private async ValueTask<long> EvaluateAsync(Rule rule, long tickMs, CancellationToken cancellation)
    {
        var startedAt = Services.Time.GetUtcNow().ToUnixTimeMilliseconds();
        var started = Services.Time.GetTimestamp();
        Counters.CountEvaluation();
        string? error = null;
        long samples = 0;
        try
        {
            var writes = await rule.EvaluateAsync(this, tickMs, cancellation);
            samples = writes.Count;
            error = await StoreAsync(rule, writes, tickMs, cancellation);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            // Whatever a query, template or shard fails with, the other rules must still run; the text is shown to the user.
            error = e.Message;
        }

        if (error is not null)
        {
            Counters.CountFailure();
            Services.Observer?.OnRuleFailed(Key, rule.Name, error);
        }

        rule.LastEvaluation = new RuleEvaluation(error is null ? RuleHealth.Ok : RuleHealth.Error, error, startedAt, Services.Time.GetElapsedTime(started));
        return samples;
    }

    /// <summary>Stores the results, and stale markers for the series that are missing this time. Tells what could not be stored.</summary>
    private async ValueTask<string?> StoreAsync(Rule rule, List<RuleWrite> writes, long tickMs, CancellationToken cancellation)
    {
        var results = writes.Count;
        var written = new HashSet<Labels>(results);
        foreach (var write in writes)
        {
            written.Add(write.Labels);
        }

        foreach (var series in rule.PreviousSeries)
        {
            if (!written.Contains(series))
            {
                writes.Add(new RuleWrite(series, tickMs - QueryOffsetMs, StaleMarker.Value));
            }
        }

        if (writes.Count == 0)
        {
            rule.PreviousSeries = [];
            return null;
        }

        var answer = await Services.Appender.AppendAsync(writes, cancellation);
        var error = answer.Rejected.Count == 0 ? answer.Reason : null;
        foreach (var rejected in answer.Rejected)
        {
            // A marker is refused when another rule writes the series now.
            if (rejected < results)
            {
                written.Remove(writes[rejected].Labels);
                error ??= answer.Reason ?? "sample rejected";
            }
        }

        rule.PreviousSeries = written;
        return error;
    }

    /// <summary>Ends the series of rules that are gone from the group.</summary>
    private async ValueTask EndSeriesAsync(long tickMs, CancellationToken cancellation)
    {
        if (endedSeries.Count == 0)
        {
            return;
        }

        try
        {
            var live = Rules.SelectMany(static r => r.PreviousSeries).ToHashSet();
            RuleWrite[] markers = [.. endedSeries.Where(s => !live.Contains(s)).Select(s => new RuleWrite(s, tickMs - QueryOffsetMs, StaleMarker.Value))];
            if (markers.Length > 0)
            {
                await Services.Appender.AppendAsync(markers, cancellation);
            }

            endedSeries = [];
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            Services.Observer?.OnUpkeepFailed(Key, "stale markers of rules that are gone", e);
        }
    }

    /// <summary>
    /// Restores alerts after each of the first two evaluations: at the first not all data may be back. Series are written from the second on.
    /// </summary>
    private async ValueTask RestoreAsync(long tickMs, CancellationToken cancellation)
    {
        if (restoresLeft == 0)
        {
            return;
        }

        restoresLeft--;
        foreach (var rule in Rules.OfType<AlertingRule>())
        {
            try
            {
                await AlertRestoration.RestoreAsync(rule, this, tickMs, cancellation);
            }
            catch (Exception e) when (!cancellation.IsCancellationRequested)
            {
                // There is no telling when it would work; an alert that waits anew is better than none.
                Services.Observer?.OnUpkeepFailed(Key, $"restoring the alerts of {rule.Name}", e);
            }

            rule.IsRestored = true;
        }
    }
}

/// <summary>How a group was evaluated.</summary>
/// <param name="StartedAtMs">When it began, by the clock, Unix milliseconds.</param>
/// <param name="Duration">How long it took.</param>
public sealed record GroupEvaluation(long StartedAtMs, TimeSpan Duration);

/// <summary>What happened in a group since it was loaded. Thread-safe.</summary>
public sealed class GroupCounters
{
    private long iterations;
    private long missed;
    private long evaluations;
    private long failures;
    private long warned;

    /// <summary>Ticks that were due, evaluated or missed (<c>rule_group_iterations_total</c>).</summary>
    public long Iterations => Interlocked.Read(ref iterations);

    /// <summary>Ticks that were missed because an earlier one took too long, or nobody owned the group (<c>rule_group_iterations_missed_total</c>).</summary>
    public long Missed => Interlocked.Read(ref missed);

    /// <summary>Evaluations of rules (<c>rule_evaluations_total</c>).</summary>
    public long Evaluations => Interlocked.Read(ref evaluations);

    /// <summary>Evaluations that failed (<c>rule_evaluation_failures_total</c>).</summary>
    public long Failures => Interlocked.Read(ref failures);

    /// <summary>Queries of rules that were answered with warnings, such as that the answer is partial (<c>thanos_rule_evaluation_with_warnings_total</c>).</summary>
    public long Warned => Interlocked.Read(ref warned);

    /// <summary>Samples that the last evaluation gave.</summary>
    public long LastSamples { get; internal set; }

    internal void CountIteration() => Interlocked.Increment(ref iterations);

    internal void CountMissed(long count)
    {
        Interlocked.Add(ref missed, count);
        Interlocked.Add(ref iterations, count);
    }

    internal void CountEvaluation() => Interlocked.Increment(ref evaluations);

    internal void CountWarned() => Interlocked.Increment(ref warned);

    internal void CountFailure() => Interlocked.Increment(ref failures);
}
