using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.FrontEnd;

/// <summary>How what parts of a window came to becomes what the window comes to.</summary>
internal enum PartJoin
{
    /// <summary>Numbers that are added.</summary>
    Sum,

    /// <summary>The smallest, any number before NaN.</summary>
    Min,

    /// <summary>The largest, any number before NaN.</summary>
    Max,

    /// <summary>The latest that there is.</summary>
    Last,
}

/// <summary>A part of an instant query.</summary>
/// <param name="Query">Its text.</param>
/// <param name="Grid">When it is evaluated.</param>
/// <param name="IsRange">Whether it is a range query.</param>
internal readonly record struct InstantPart(string Query, TimeGrid Grid, bool IsRange);

/// <summary>An instant query as parts, in the order of time.</summary>
/// <param name="Parts">The parts.</param>
/// <param name="Join">How they become one.</param>
/// <remarks>
/// Split are <c>count_over_time</c>, <c>min_over_time</c>, <c>max_over_time</c>, <c>last_over_time</c> and <c>present_over_time</c> of one metric, by themselves or below the aggregation that treats series as the function treats
/// samples (<c>sum</c> of counts, <c>min</c> of minima, <c>max</c> of maxima, <c>group</c> of any): of these the parts have the answer to the bit. Of <c>sum_over_time</c> they have it but for rounding. All others depend on samples beside each
/// other, or on all of them at once. After grafana/mimir, pkg/frontend/querymiddleware/astmapper/instant_splitting.go.
/// </remarks>
internal sealed record InstantSplit(IReadOnlyList<InstantPart> Parts, PartJoin Join)
{
    /// <summary>Whole intervals of a query, at most; longer windows are split at multiples of the interval.</summary>
    private const int IntervalsMax = 400;

    /// <summary>Takes an instant query apart; null when it can't be, or there are no two whole intervals in its window.</summary>
    /// <param name="query">The query.</param>
    /// <param name="timeMs">When it is evaluated.</param>
    /// <param name="intervalMs">Windows are split at multiples of this; positive.</param>
    /// <param name="withSums">Whether sums may be rounded otherwise.</param>
    public static InstantSplit? Of(Expr query, long timeMs, long intervalMs, bool withSums)
    {
        var inner = Bare(query);
        var aggregate = inner as AggregateExpr;
        if (Bare(aggregate?.Inner ?? inner) is not CallExpr { Arguments: [var argument] } call || Bare(argument) is not MatrixSelector matrix || !IsPlain(matrix)
            || JoinOf(call.Function.Name, withSums) is not { } join || !Fits(aggregate, call.Function.Name))
        {
            return null;
        }

        var rangeMs = matrix.Range.Ms;
        intervalMs *= (rangeMs / intervalMs / IntervalsMax) + 1;
        var fromMs = timeMs - rangeMs;
        var (first, last) = (Floor(fromMs + intervalMs - 1, intervalMs), Floor(timeMs, intervalMs));
        if (fromMs > timeMs || last - first < 2 * intervalMs)
        {
            return null;
        }

        var parts = new List<InstantPart>(3);
        if (first > fromMs)
        {
            parts.Add(new InstantPart(Over(first - fromMs), TimeGrid.Instant(first), IsRange: false));
        }

        parts.Add(new InstantPart(Over(intervalMs), new TimeGrid(first + intervalMs, last, intervalMs), IsRange: true));
        if (last < timeMs)
        {
            parts.Add(new InstantPart(Over(timeMs - last), TimeGrid.Instant(timeMs), IsRange: false));
        }

        return new InstantSplit(parts, aggregate?.Operator == AggregateOperator.Group ? PartJoin.Last : join);

        string Over(long windowMs)
        {
            Expr part = call with { Arguments = [matrix with { Range = new DurationValue(windowMs, null) }] };
            return Printer.Print(aggregate is null ? part : aggregate with { Inner = part });
        }
    }

    private static Expr Bare(Expr expression)
    {
        while (expression is ParenExpr paren)
        {
            expression = paren.Inner;
        }

        return expression;
    }

    /// <summary>True for a window that moves with the time of the query, over series that don't become the same when they lose their name: whether two did is not seen in parts.</summary>
    private static bool IsPlain(MatrixSelector matrix) =>
        matrix is { Range.Expression: null, Selector: { Mode: RangeMode.None, At.Kind: AtKind.None, Offset.Expression: null } selector }
        && selector.Matchers.Any(static m => m is { Name: Labels.MetricName, Type: Model.MatchType.Equal, Value.Length: > 0 });

    private static PartJoin? JoinOf(string function, bool withSums) => function switch
    {
        "count_over_time" => PartJoin.Sum,
        "sum_over_time" when withSums => PartJoin.Sum,
        "min_over_time" => PartJoin.Min,
        "max_over_time" => PartJoin.Max,
        "last_over_time" or "present_over_time" => PartJoin.Last,
        _ => null,
    };

    private static bool Fits(AggregateExpr? aggregate, string function) => aggregate?.Operator switch
    {
        null or AggregateOperator.Group => true,
        AggregateOperator.Sum => function is "count_over_time" or "sum_over_time",
        AggregateOperator.Min => function == "min_over_time",
        AggregateOperator.Max => function == "max_over_time",
        _ => false,
    };

    private static long Floor(long value, long width) => value - (((value % width) + width) % width);
}
