using Metrics.Gateway.Rules;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL.Parsing;
using Metrics.Rules;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;

namespace Metrics.Simulation.Rules;

/// <summary>A tenant's rules that change owners, in every way we know, over one object storage: moved, killed, frozen, or doubled by an owner that does not know that it is none any more.</summary>
/// <remarks>
/// One alert holds from the third minute on and fires after ten more, so that owners change before, while it is pending and while it fires; another one comes and goes. What was evaluated, written and
/// sent, when and by whom, is kept for the checks. Changes are some intervals apart, as moves of an owner are.
/// </remarks>
internal sealed class RuleWorld
{
    public const long IntervalMs = 60_000;
    public const long HoldsFromMs = 3 * IntervalMs;
    public const long ForMs = 10 * IntervalMs;
    private const int Minutes = 45;

    private const string Rules = """
        groups:
        - name: one
          interval: 1m
          rules:
          - {record: r, expr: one}
          - {alert: Long, expr: long, for: 10m}
        - name: two
          interval: 1m
          rules:
          - {alert: Wavy, expr: wavy, for: 2m, keep_firing_for: 1m}
          - {record: s, expr: two}
        """;

    private static readonly IReadOnlyList<PlacedGroup> groups = [.. RuleFileReader.Read(Rules, ParseOptions.All).File!.Groups.Select(g => new PlacedGroup("f", g))];

    private readonly SimScheduler scheduler;
    private readonly SimProcess world;
    private readonly MemoryObjectStore objects;
    private readonly double faults;
    private readonly List<(SimProcess Process, TenantRules Rules)> owners = [];

    public RuleWorld(int seed, double faults)
    {
        scheduler = new SimScheduler(seed);
        world = new SimProcess(scheduler, 0, "world");
        objects = new MemoryObjectStore(world.Time);
        this.faults = faults;
        StartMs = world.Time.GetUtcNow().ToUnixTimeMilliseconds();
    }

    /// <summary>When the world began.</summary>
    public long StartMs { get; }

    /// <summary>Every query of a rule: by whom, which, for which instant, and when.</summary>
    public List<(string Owner, string Query, long TimeMs, long AtMs)> Evaluations { get; } = [];

    /// <summary>Every notification, by whom and when.</summary>
    public List<(string Owner, AlertNotification Alert)> Sent { get; } = [];

    /// <summary>Rules that failed; none should.</summary>
    public List<string> RuleFailures { get; } = [];

    /// <summary>When storage failed an owner.</summary>
    public List<(string Owner, long AtMs)> Failures { get; } = [];

    /// <summary>True when an owner got no answer from storage for so long that it went on without: then its alerts are restored from their series, of which there are none in this world.</summary>
    public bool WentWithout => Failures.Exists(f => Failures.Count(o => o.Owner == f.Owner && o.AtMs >= f.AtMs && o.AtMs < f.AtMs + 15_000) >= 4);

    /// <summary>The kinds of changes, in order; with the time.</summary>
    public List<(string Kind, long AtMs)> Changes { get; } = [];

    /// <summary>The groups at the owner of the end.</summary>
    public IReadOnlyList<RuleGroup> Groups => owners[^1].Rules.Groups;

    /// <summary>A hash of all that happened.</summary>
    public ulong Trace => scheduler.Trace;

    /// <summary>Runs it to the end.</summary>
    public RuleWorld Run()
    {
        Own();
        for (var minute = 4; minute < Minutes - 6; minute += 5 + scheduler.Random.Next(4))
        {
            scheduler.RunUntil(TimeSpan.FromMinutes(minute + scheduler.Random.NextDouble()));
            Change();
        }

        scheduler.RunUntil(TimeSpan.FromMinutes(Minutes));
        return this;
    }

    private long NowMs => world.Time.GetUtcNow().ToUnixTimeMilliseconds();

    private void Change()
    {
        var (process, rules) = owners[^1];
        var kind = new[] { "moved", "handed over", "killed", "frozen", "doubled", "restarted" }[scheduler.Random.Next(6)];
        Changes.Add((kind, NowMs));
        var name = process.Name;
        switch (kind)
        {
            case "moved":
                process.Start(async () =>
                {
                    await rules.DisposeAsync();
                    scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next(2000)), world, () => Own());
                });
                return;
            case "handed over":
                // Both hear of the change, one sooner than the other.
                scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next(5000)), process, () => Learn(process, rules));
                scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next(5000)), world, () => Own());
                return;
            case "killed":
                process.Kill();
                scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next((int)(IntervalMs * 0.8))), world, () => Own());
                return;
            case "restarted":
                process.Kill();
                scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next((int)(IntervalMs * 0.8))), world, () => Own(name));
                return;
            case "frozen":
                process.Freeze();
                scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next((int)(3 * IntervalMs))), world, process.Thaw);
                break;
        }

        // The old one is there still, and does not know, for longer than anyone waits for it.
        scheduler.Plan(TimeSpan.FromMilliseconds((3 * IntervalMs) + scheduler.Random.Next((int)(1.5 * IntervalMs))), process, () => Learn(process, rules));
        scheduler.Plan(TimeSpan.FromMilliseconds(scheduler.Random.Next(2000)), world, () => Own());
    }

    /// <summary>An owner hears that the groups are not for it any more.</summary>
    private static void Learn(SimProcess process, TenantRules rules) => process.Start(() => rules.LoadAsync(groups, static _ => false, CancellationToken.None));

    private void Own(string? name = null)
    {
        var process = new SimProcess(scheduler, owners.Count + 1, name ?? $"o{owners.Count + 1}");
        var eyes = new Eyes(this, process);
        var services = new RuleServices(eyes, eyes, eyes, process.Time, new RuleOptions { DefaultIntervalMs = IntervalMs }, eyes);
        var rules = new TenantRules(services, new RuleObjects(new RuleBucket(objects, scheduler, process, world, faults), TenantId.Parse("team")), new RuleOwner(process.Name, $"{owners.Count}"));
        owners.Add((process, rules));
        process.Start(() => rules.LoadAsync(groups, CancellationToken.None));
    }

    /// <summary>True when an expression holds, a function of time alone.</summary>
    private bool Holds(string query, long timeMs) => query switch
    {
        "long" => timeMs - StartMs >= HoldsFromMs,
        "wavy" => (timeMs - StartMs) / IntervalMs % 12 is >= 4 and < 9,
        _ => true,
    };

    /// <summary>What one owner reads, writes and sends: slowly, and remembered.</summary>
    private sealed class Eyes(RuleWorld seen, SimProcess process) : IRuleQuery, IRuleAppender, INotifier, IRuleObserver
    {
        public async ValueTask<RuleVector> EvaluateAsync(string query, long timeMs, CancellationToken cancellation)
        {
            seen.scheduler.Note(query);
            seen.Evaluations.Add((process.Name, query, timeMs, seen.NowMs));
            await DelayAsync();
            return new RuleVector(seen.Holds(query, timeMs) ? [new RuleSample(Labels.Of(("i", query)), 1)] : []);
        }

        public async ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation)
        {
            await DelayAsync();
            return [];
        }

        public async ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation)
        {
            await DelayAsync();
            return RuleAppendResult.Done;
        }

        public void Send(IReadOnlyList<AlertNotification> alerts) => seen.Sent.AddRange(alerts.Select(a => (process.Name, a)));

        public void OnRuleFailed(string group, string rule, string error) => seen.RuleFailures.Add($"{group} {rule}: {error}");

        public void OnUpkeepFailed(string group, string what, Exception error)
        {
            if (error is ObjectStoreException)
            {
                seen.Failures.Add((process.Name, seen.NowMs));
            }
        }

        // Some evaluations take almost as long as an interval.
        private Task DelayAsync() => Task.Delay(
            seen.scheduler.Between(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(seen.scheduler.Chance(0.01) ? 50 : 2)), process.Time);
    }
}
