using Metrics.PromQL.Parsing;

namespace Metrics.Rules.Files;

/// <summary>The content of a rule file.</summary>
/// <param name="Groups">The groups, in the order of the file, with different names.</param>
public sealed record RuleFile(IReadOnlyList<RuleGroupSpec> Groups);

/// <summary>A group of rules as a file or the ruler API declares it.</summary>
public sealed record RuleGroupSpec
{
    /// <summary>The name, unique in its file.</summary>
    public required string Name { get; init; }

    /// <summary>How often the rules are evaluated, milliseconds; 0 for the server's default.</summary>
    public long IntervalMs { get; init; }

    /// <summary>How far before the tick the rules look, and where their results stand; null for the server's default.</summary>
    public long? QueryOffsetMs { get; init; }

    /// <summary>The most series or alerts a rule may give, 0 for no limit; a rule that gives more fails.</summary>
    public int Limit { get; init; }

    /// <summary>Labels for every rule of the group; a rule's own win.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = NoLabels;

    /// <summary>The rules, in the order of evaluation.</summary>
    public IReadOnlyList<RuleSpec> Rules { get; init; } = [];

    /// <summary>Thanos: <c>abort</c> or <c>warn</c>; null when not given, which means abort.</summary>
    public string? PartialResponseStrategy { get; init; }

    /// <summary>Mimir: the tenants whose data the rules read; empty for the owner's own.</summary>
    public IReadOnlyList<string> SourceTenants { get; init; } = [];

    /// <summary>An empty set of labels.</summary>
    internal static readonly IReadOnlyDictionary<string, string> NoLabels = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>A recording or alerting rule as declared; exactly one of <see cref="Record"/> and <see cref="Alert"/> is not empty.</summary>
public sealed record RuleSpec
{
    /// <summary>The metric that a recording rule writes, or empty.</summary>
    public string Record { get; init; } = "";

    /// <summary>The name of an alerting rule, or empty.</summary>
    public string Alert { get; init; } = "";

    /// <summary>The expression as written.</summary>
    public required string Expr { get; init; }

    /// <summary>The expression, parsed.</summary>
    public required Expr Expression { get; init; }

    /// <summary>How long an alert is pending before it fires, milliseconds.</summary>
    public long ForMs { get; init; }

    /// <summary>How long an alert goes on firing after its condition has ended, milliseconds.</summary>
    public long KeepFiringForMs { get; init; }

    /// <summary>Labels added to the result; templates when the rule is an alert.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = RuleGroupSpec.NoLabels;

    /// <summary>Annotations of an alert; templates.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = RuleGroupSpec.NoLabels;

    /// <summary>True for an alerting rule.</summary>
    public bool IsAlert => Alert.Length > 0;

    /// <summary>The name of the metric or alert.</summary>
    public string Name => IsAlert ? Alert : Record;
}

/// <summary>Something wrong in a file.</summary>
/// <param name="Message">The text as promtool words it, with line and column where it knows them.</param>
/// <param name="Line">The line, from 1; 0 when unknown.</param>
public sealed record RuleFileError(string Message, int Line)
{
    /// <inheritdoc/>
    public override string ToString() => Message;
}

/// <summary>What reading a file gave: the file, or what is wrong with it.</summary>
/// <param name="File">The file; null when there are errors.</param>
/// <param name="Errors">What is wrong.</param>
/// <param name="Warnings">What is odd, and does not hinder.</param>
public sealed record RuleFileResult(RuleFile? File, IReadOnlyList<RuleFileError> Errors, IReadOnlyList<string> Warnings);
