using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.FrontEnd;

/// <summary>How late a sample the result of a step may depend on, and whether a step's result depends on that step alone.</summary>
internal readonly struct QueryReach
{
    private QueryReach(bool isSplittable, long relativeMs, long fixedMs)
    {
        IsSplittable = isSplittable;
        RelativeMs = relativeMs;
        FixedMs = fixedMs;
    }

    /// <summary>
    /// True when a range query may be answered in parts: nothing in it asks for the bounds of the whole range (<c>start()</c>, <c>end()</c>, <c>range()</c>, <c>step()</c>, durations that are
    /// computed).
    /// </summary>
    public bool IsSplittable { get; }

    /// <summary>The latest sample that step t needs is not after t plus this; negative when all selectors have an offset. Milliseconds.</summary>
    public long RelativeMs { get; }

    /// <summary>Every step needs samples up to this Unix millisecond, which an <c>@</c> names; <see cref="long.MinValue"/> without one.</summary>
    public long FixedMs { get; }

    /// <summary>Looks at a query, whose instant selectors look back so far.</summary>
    public static QueryReach Of(Expr query, long lookbackMs)
    {
        var walk = new Walk(lookbackMs);
        walk.Visit(query, new Moment(IsFixed: false, 0));
        return new QueryReach(!walk.AsksForBounds, walk.RelativeMs, walk.FixedMs);
    }

    /// <summary>True when the result of a step can't change, given that no sample before a time does.</summary>
    public bool IsSettled(long stepMs, long beforeMs) => FixedMs < beforeMs && Saturated(stepMs, RelativeMs) < beforeMs;

    private static long Saturated(long left, long right) =>
        right > 0 && left > long.MaxValue - right ? long.MaxValue : right < 0 && left < long.MinValue - right ? long.MinValue : left + right;

    /// <summary>When an expression is evaluated: so much after the step, or at a time of its own.</summary>
    private readonly record struct Moment(bool IsFixed, long Ms);

    private sealed class Walk(long lookbackMs)
    {
        public bool AsksForBounds { get; private set; }

        // A query without selectors depends on the step alone.
        public long RelativeMs { get; private set; } = long.MinValue;

        public long FixedMs { get; private set; } = long.MinValue;

        public void Visit(Expr expression, Moment at)
        {
            switch (expression)
            {
                case VectorSelector selector:
                    Reach(Moved(at, selector.At, selector.Offset), selector.Mode == RangeMode.Smoothed ? lookbackMs : 0);
                    break;
                case MatrixSelector matrix:
                    Check(matrix.Range);
                    Visit(matrix.Selector, at);
                    break;
                case SubqueryExpr subquery:
                    Check(subquery.Range);
                    Check(subquery.Step);
                    Visit(subquery.Inner, Moved(at, subquery.At, subquery.Offset));
                    break;
                case CallExpr call:
                    AsksForBounds |= call.Function.Name is "start" or "end" or "range" or "step";
                    foreach (var argument in call.Arguments)
                    {
                        Visit(argument, at);
                    }

                    break;
                case AggregateExpr aggregate:
                    Visit(aggregate.Inner, at);
                    if (aggregate.Parameter is { } parameter)
                    {
                        Visit(parameter, at);
                    }

                    break;
                case BinaryExpr binary:
                    Visit(binary.Left, at);
                    Visit(binary.Right, at);
                    break;
                case ParenExpr paren:
                    Visit(paren.Inner, at);
                    break;
                case UnaryExpr unary:
                    Visit(unary.Operand, at);
                    break;
                case NumberLiteral or StringLiteral:
                    break;
                default:
                    AsksForBounds = true;
                    break;
            }
        }

        private Moment Moved(Moment at, AtModifier modifier, DurationValue offset)
        {
            Check(offset);
            AsksForBounds |= modifier.Kind is AtKind.Start or AtKind.End;
            var moved = modifier.Kind == AtKind.Timestamp ? new Moment(IsFixed: true, modifier.TimeMs) : at;
            return moved with { Ms = Saturated(moved.Ms, offset.Ms == long.MinValue ? long.MaxValue : -offset.Ms) };
        }

        private void Reach(Moment at, long aheadMs)
        {
            var ms = Saturated(at.Ms, aheadMs);
            if (at.IsFixed)
            {
                FixedMs = Math.Max(FixedMs, ms);
            }
            else
            {
                RelativeMs = Math.Max(RelativeMs, ms);
            }
        }

        private void Check(DurationValue? duration) => AsksForBounds |= duration?.Expression is not null;
    }
}
