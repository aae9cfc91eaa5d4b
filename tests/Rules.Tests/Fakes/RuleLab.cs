using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.TestScripts;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;
using Metrics.Rules.UnitTests;

namespace Metrics.Rules.Tests.Fakes;

/// <summary>Series in memory, the real query engine over them, and a notifier that keeps what it hears.</summary>
internal sealed class RuleLab
{
    public static readonly EngineOptions Engine = new() { Parsing = ParseOptions.All };

    private readonly IReadOnlyList<IQueryLeaf> leaves;

    public RuleLab(string load = "load 15s", RuleOptions? options = null, TimeProvider? time = null, long startMs = 0)
    {
        var command = (LoadCommand)ScriptParser.Parse(load)[0];
        Storage = new RuleTestStorage(command.Series, command.StepMs, startMs);
        leaves = [new LocalLeaf(Storage, Engine)];
        Query = new EngineRuleQuery(new QueryEngine(Engine), _ => new(leaves));
        Services = new RuleServices(new Watched(this), new WatchedAppender(this), Notifier, time ?? TimeProvider.System, options ?? new RuleOptions(), Observer);
    }

    public RuleTestStorage Storage { get; }

    public EngineRuleQuery Query { get; }

    public RuleServices Services { get; }

    public KeptNotifications Notifier { get; } = new();

    public KeptEvents Observer { get; } = new();

    /// <summary>Called before each query and append; a test lets them fail or wait here.</summary>
    public Func<string, Task>? BeforeQuery { get; set; }

    public Func<IReadOnlyList<RuleWrite>, Task>? BeforeAppend { get; set; }

    public static RuleFile File(string yaml)
    {
        var result = RuleFileReader.Read(yaml, ParseOptions.All);
        return result.File ?? throw new InvalidOperationException(string.Join('\n', result.Errors));
    }

    public RuleGroup Group(string yaml, bool restores = false, SemaphoreSlim? gate = null) => new("file.yml", File(yaml).Groups[0], Services, gate, restores);

    /// <summary>Evaluates a group at each tick up to a time, inclusive.</summary>
    public async Task RunAsync(RuleGroup group, long fromMs, long toMs, long stepMs, Action<long>? after = null)
    {
        for (var tick = fromMs; tick <= toMs; tick += stepMs)
        {
            Storage.AdvanceTo(tick);
            await group.EvaluateAsync(tick, CancellationToken.None);
            after?.Invoke(tick);
        }
    }

    /// <summary>The answer of a query as one text: <c>{a="b"} 1; ...</c>, ascending.</summary>
    public async Task<string> AskAsync(string query, long timeMs) =>
        string.Join("; ", (await Query.EvaluateAsync(query, timeMs, CancellationToken.None)).Samples.Select(s => $"{s.Labels} {s.Value}").Order(StringComparer.Ordinal));

    private sealed class Watched(RuleLab lab) : IRuleQuery
    {
        public async ValueTask<RuleVector> EvaluateAsync(string query, long timeMs, CancellationToken cancellation)
        {
            await (lab.BeforeQuery?.Invoke(query) ?? Task.CompletedTask);
            return await lab.Query.EvaluateAsync(query, timeMs, cancellation);
        }

        public ValueTask<IReadOnlyList<LastSample>> LastSamplesAsync(IReadOnlyList<Matcher> matchers, TimeRange range, CancellationToken cancellation) =>
            lab.Query.LastSamplesAsync(matchers, range, cancellation);
    }

    private sealed class WatchedAppender(RuleLab lab) : IRuleAppender
    {
        public async ValueTask<RuleAppendResult> AppendAsync(IReadOnlyList<RuleWrite> samples, CancellationToken cancellation)
        {
            await (lab.BeforeAppend?.Invoke(samples) ?? Task.CompletedTask);
            return await lab.Storage.AppendAsync(samples, cancellation);
        }
    }
}

internal sealed class KeptNotifications : INotifier
{
    public List<AlertNotification> All { get; } = [];

    public void Send(IReadOnlyList<AlertNotification> alerts)
    {
        lock (All)
        {
            All.AddRange(alerts);
        }
    }

    public List<AlertNotification> Take()
    {
        lock (All)
        {
            var taken = All.ToList();
            All.Clear();
            return taken;
        }
    }
}

internal sealed class KeptEvents : IRuleObserver
{
    public List<string> All { get; } = [];

    public int Count
    {
        get
        {
            lock (All)
            {
                return All.Count;
            }
        }
    }

    public void OnRuleFailed(string group, string rule, string error) => Add($"{rule}: {error}");

    public void OnTemplateFailed(string group, string rule, string error) => Add($"{rule} template: {error}");

    public void OnUpkeepFailed(string group, string what, Exception error) => Add($"{what}: {error.Message}");

    private void Add(string text)
    {
        lock (All)
        {
            All.Add(text);
        }
    }
}
