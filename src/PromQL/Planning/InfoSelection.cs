using Metrics.Model;
using Metrics.PromQL.Parsing;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.PromQL.Planning;

/// <summary>What the second argument of <c>info()</c> asks for: which info metrics, and which of their labels.</summary>
internal sealed class InfoSelection
{
    /// <summary>The function of the hints of a selector whose values are to be the times of its samples.</summary>
    public const string Function = "info";

    private readonly List<Matcher> names = [];
    private readonly List<Matcher> data = [];

    private InfoSelection(CallExpr call)
    {
        if (call.Arguments.Count > 1 && StepInvariance.Unparenthesised(call.Arguments[1]) is VectorSelector selector)
        {
            foreach (var matcher in selector.Matchers)
            {
                (matcher.Name == Labels.MetricName ? names : data).Add(matcher);
            }
        }

        if (names.Count == 0)
        {
            names.Add(new Matcher(MatchType.Equal, Labels.MetricName, "target_info"));
        }
        else if (names.TrueForAll(m => m.Type is MatchType.NotEqual or MatchType.NotRegex))
        {
            names.Insert(0, new Matcher(MatchType.Regex, Labels.MetricName, ".+_info"));
        }
    }

    /// <summary>The matchers of the info series.</summary>
    public IReadOnlyList<Matcher> Matchers => [.. names, .. data];

    /// <summary>True when a series without info labels satisfies the matchers, and so is kept.</summary>
    public bool MatchesNothing => data.TrueForAll(m => m.MatchesEmpty);

    /// <summary>Reads a call.</summary>
    public static InfoSelection Of(CallExpr call) => new(call);

    /// <summary>True for a series that is an info series itself.</summary>
    public bool IsInfo(Labels labels)
    {
        var name = labels.Get("__name__"u8);
        foreach (var matcher in names)
        {
            if (!matcher.Matches(name))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>True for a label to be added: any, or those that matchers name.</summary>
    public bool Wants(string label) => data.Count == 0 || data.Exists(m => m.Name == label);

    /// <summary>
    /// The time modifiers of the first selector in the first argument, with those of the subqueries around it up to the first <c>@</c>: the info series are looked at when that selector is.
    /// </summary>
    public static (long OffsetMs, AtModifier At) TimeOf(Expr expression, Func<DurationValue, long> resolve) => Find(expression, resolve) ?? (0, default);

    private static (long OffsetMs, AtModifier At)? Find(Expr expression, Func<DurationValue, long> resolve)
    {
        switch (expression)
        {
            case VectorSelector selector:
                return (resolve(selector.Offset), selector.At);
            case SubqueryExpr subquery:
                return Find(subquery.Inner, resolve) is not { } inner ? null
                    : inner.At.Kind != AtKind.None ? inner
                    : (inner.OffsetMs + resolve(subquery.Offset), subquery.At);
        }

        foreach (var child in expression is SubqueryExpr ? [] : ExpressionTree.Children(expression))
        {
            if (Find(child, resolve) is { } found)
            {
                return found;
            }
        }

        return null;
    }
}
