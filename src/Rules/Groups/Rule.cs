using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;

namespace Metrics.Rules.Groups;

/// <summary>Whether a rule's last evaluation went well.</summary>
public enum RuleHealth
{
    /// <summary>Not evaluated yet.</summary>
    Unknown,

    /// <summary>It did.</summary>
    Ok,

    /// <summary>It did not.</summary>
    Error,
}

/// <summary>How a rule's last evaluation went.</summary>
/// <param name="Health">In one word.</param>
/// <param name="LastError">What went wrong, or null.</param>
/// <param name="EvaluatedAtMs">When, by the clock, Unix milliseconds; null before the first.</param>
/// <param name="Duration">How long it took.</param>
public sealed record RuleEvaluation(RuleHealth Health, string? LastError, long? EvaluatedAtMs, TimeSpan Duration)
{
    /// <summary>Not evaluated yet.</summary>
    public static readonly RuleEvaluation None = new(RuleHealth.Unknown, null, null, TimeSpan.Zero);
}

/// <summary>A rule of a group, ready to be evaluated.</summary>
public abstract class Rule
{
    private RuleEvaluation lastEvaluation = RuleEvaluation.None;

    private protected Rule(RuleSpec spec, IReadOnlyDictionary<string, string> groupLabels)
    {
        Spec = spec;
        QueryText = Printer.Print(spec.Expression);
        var labels = new LabelsBuilder();
        var declared = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in groupLabels.Concat(spec.Labels))
        {
            labels.Set(name, value);
            declared[name] = value;
        }

        Labels = labels.ToLabels();
        DeclaredLabels = declared;
    }

    /// <summary>What was declared.</summary>
    public RuleSpec Spec { get; }

    /// <summary>The name of the metric or alert.</summary>
    public string Name => Spec.Name;

    /// <summary>The expression as the server prints it.</summary>
    public string QueryText { get; }

    /// <summary>The labels of group and rule, templates not expanded.</summary>
    public Labels Labels { get; }

    /// <summary>The same, with those whose value is empty: they take a label away from the result.</summary>
    internal IReadOnlyDictionary<string, string> DeclaredLabels { get; }

    /// <summary>How the last evaluation went.</summary>
    public RuleEvaluation LastEvaluation
    {
        get => Volatile.Read(ref lastEvaluation);
        internal set => Volatile.Write(ref lastEvaluation, value);
    }

    /// <summary>By what a rule is known again in a changed file.</summary>
    internal string Identity => Name + Labels;

    /// <summary>The series that the last successful evaluation wrote; those missing from the next one end.</summary>
    internal IReadOnlyCollection<Labels> PreviousSeries { get; set; } = [];

    /// <summary>Evaluates at a tick and gives the samples to store. Notifications go out from here.</summary>
    /// <exception cref="RuleQueryException">The result breaks a rule: doubled labels, or more than the limit.</exception>
    internal abstract ValueTask<List<RuleWrite>> EvaluateAsync(RuleGroup group, long tickMs, CancellationToken cancellation);
}

/// <summary>A rule that records its expression as a new series.</summary>
public sealed class RecordingRule : Rule
{
    internal RecordingRule(RuleSpec spec, IReadOnlyDictionary<string, string> groupLabels)
        : base(spec, groupLabels)
    {
    }

    internal override async ValueTask<List<RuleWrite>> EvaluateAsync(RuleGroup group, long tickMs, CancellationToken cancellation)
    {
        var atMs = tickMs - group.QueryOffsetMs;
        var vector = await group.QueryAsync(QueryText, atMs, cancellation);
        var writes = new List<RuleWrite>(vector.Samples.Count);
        var seen = new HashSet<Labels>(vector.Samples.Count);
        var labels = new LabelsBuilder();
        foreach (var sample in vector.Samples)
        {
            var series = SeriesOf(labels, sample.Labels);
            if (!seen.Add(series))
            {
                throw new RuleQueryException("vector contains metrics with the same labelset after applying rule labels");
            }

            writes.Add(new RuleWrite(series, atMs, sample.Value, sample.Histogram));
        }

        if (group.Limit > 0 && writes.Count > group.Limit)
        {
            throw new RuleQueryException($"exceeded limit of {group.Limit} with {writes.Count} series");
        }

        return writes;
    }

    /// <summary>The series that a result of the expression is recorded as.</summary>
    internal Labels SeriesOf(LabelsBuilder builder, Labels result)
    {
        builder.Reset(result).Set(Labels.MetricName, Name);
        foreach (var (name, value) in DeclaredLabels)
        {
            builder.Set(name, value);
        }

        return builder.ToLabels();
    }
}
