using Metrics.Model;
using Metrics.PromQL.Parsing;
using MatchType = Metrics.Model.MatchType;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Planning;

/// <summary>A step of a query plan: what is computed, on which grid. Nodes are immutable and hold no state of an execution.</summary>
/// <remarks>
/// Unlike the syntax tree, a plan has no parentheses, no unresolved durations or <c>@ start()</c>; every node knows its own grid, so the inside of
/// a subquery or of a step-invariant part needs no context to be evaluated. <see cref="Position"/> is the place in the query text.
/// </remarks>
internal abstract record PlanNode(TimeGrid Grid, PositionRange Position)
{
    public abstract ValueType Type { get; }

    /// <summary>The nodes this one reads, in the order of the query.</summary>
    public virtual IReadOnlyList<PlanNode> Children => [];

    /// <summary>The same node over other children, as many as before.</summary>
    public virtual PlanNode With(IReadOnlyList<PlanNode> children) => this;
}

/// <summary>A constant.</summary>
internal sealed record NumberNode(double Value, TimeGrid Grid, PositionRange Position) : PlanNode(Grid, Position)
{
    public override ValueType Type => ValueType.Scalar;
}

/// <summary>A string constant.</summary>
internal sealed record StringNode(string Value, TimeGrid Grid, PositionRange Position) : PlanNode(Grid, Position)
{
    public override ValueType Type => ValueType.String;
}

/// <summary>No series at all.</summary>
internal sealed record EmptyNode(TimeGrid Grid, PositionRange Position) : PlanNode(Grid, Position)
{
    public override ValueType Type => ValueType.Vector;
}

/// <summary>An instant selector: at each step the newest sample in (t - lookback, t], where t = At ?? step, less the offset.</summary>
internal sealed record SelectNode(
    IReadOnlyList<Matcher> Matchers, long OffsetMs, long? AtMs, RangeMode Mode, long LookbackMs, SelectionHints Hints, TimeGrid Grid, PositionRange Position)
    : PlanNode(Grid, Position)
{
    public override ValueType Type => ValueType.Vector;

    /// <summary>True when all selected series bear one name, so that dropping names keeps them apart.</summary>
    public bool PinsName
    {
        get
        {
            foreach (var matcher in Matchers)
            {
                if (matcher is { Type: MatchType.Equal, Name: Labels.MetricName, Value.Length: > 0 })
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>The samples that the steps need.</summary>
    public TimeRange Reach
    {
        get
        {
            var first = (AtMs ?? Grid.StartMs) - OffsetMs;
            var last = (AtMs ?? Grid.At(Grid.Count - 1)) - OffsetMs;
            return new TimeRange(first - LookbackMs + 1, Mode == RangeMode.Smoothed ? last + LookbackMs : last);
        }
    }
}

/// <summary>A range selector, read by a <see cref="RangeCallNode"/> or the whole of an instant query.</summary>
internal sealed record MatrixNode(SelectNode Selector, long RangeMs, PositionRange Position) : PlanNode(Selector.Grid, Position)
{
    public override ValueType Type => ValueType.Matrix;

    /// <summary>The samples that the windows need.</summary>
    public TimeRange Reach
    {
        get
        {
            var first = (Selector.AtMs ?? Grid.StartMs) - Selector.OffsetMs;
            var last = (Selector.AtMs ?? Grid.At(Grid.Count - 1)) - Selector.OffsetMs;
            var before = RangeMs + (Selector.Mode == RangeMode.None ? 0 : Selector.LookbackMs);
            return new TimeRange(first - before + 1, Selector.Mode == RangeMode.Smoothed ? last + Selector.LookbackMs : last);
        }
    }
}

/// <summary>The results of an expression on a grid of its own, taken as samples.</summary>
internal sealed record SubqueryNode(PlanNode Inner, long RangeMs, long OffsetMs, long? AtMs, TimeGrid Grid, PositionRange Position) : PlanNode(Grid, Position)
{
    public override ValueType Type => ValueType.Matrix;

    public override IReadOnlyList<PlanNode> Children => [Inner];

    public override PlanNode With(IReadOnlyList<PlanNode> children) => this with { Inner = children[0] };
}

/// <summary>A function over windows, e.g. <c>rate</c>. Its source is a <see cref="MatrixNode"/> or a <see cref="SubqueryNode"/>; parameters are scalars.</summary>
internal sealed record RangeCallNode(CallExpr Call, PlanNode Source, IReadOnlyList<PlanNode> Parameters, TimeGrid Grid) : PlanNode(Grid, Call.Position)
{
    public override ValueType Type => ValueType.Vector;

    public override IReadOnlyList<PlanNode> Children => [Source, .. Parameters];

    public override PlanNode With(IReadOnlyList<PlanNode> children) => this with { Source = children[0], Parameters = [.. children.Skip(1)] };
}

/// <summary>Any other function.</summary>
internal sealed record CallNode(CallExpr Call, IReadOnlyList<PlanNode> Arguments, TimeGrid Grid) : PlanNode(Grid, Call.Position)
{
    public override ValueType Type => Call.Function.ReturnType;

    public string Name => Call.Function.Name;

    public override IReadOnlyList<PlanNode> Children => Arguments;

    public override PlanNode With(IReadOnlyList<PlanNode> children) => this with { Arguments = children };
}

/// <summary>A minus sign.</summary>
internal sealed record NegateNode(PlanNode Inner, PositionRange Position) : PlanNode(Inner.Grid, Position)
{
    public override ValueType Type => Inner.Type;

    public override IReadOnlyList<PlanNode> Children => [Inner];

    public override PlanNode With(IReadOnlyList<PlanNode> children) => this with { Inner = children[0] };
}

/// <summary>An aggregation.</summary>
internal sealed record AggregateNode(
    AggregateOperator Operator, PlanNode Inner, PlanNode? Parameter, IReadOnlyList<string> Grouping, bool Without, PositionRange Position)
    : PlanNode(Inner.Grid, Position)
{
    public override ValueType Type => ValueType.Vector;

    public override IReadOnlyList<PlanNode> Children => Parameter is null ? [Inner] : [Inner, Parameter];

    public override PlanNode With(IReadOnlyList<PlanNode> children) =>
        this with { Inner = children[0], Parameter = Parameter is null ? null : children[1] };
}

/// <summary>A binary operation.</summary>
internal sealed record BinaryNode(
    BinaryOperator Operator, PlanNode Left, PlanNode Right, VectorMatching? Matching, bool ReturnBool, TimeGrid Grid, PositionRange Position)
    : PlanNode(Grid, Position)
{
    public override ValueType Type => Left.Type == ValueType.Scalar && Right.Type == ValueType.Scalar ? ValueType.Scalar : ValueType.Vector;

    public override IReadOnlyList<PlanNode> Children => [Left, Right];

    public override PlanNode With(IReadOnlyList<PlanNode> children) => this with { Left = children[0], Right = children[1] };
}

/// <summary>A step-invariant part: evaluated at one instant, its result stands at every step.</summary>
internal sealed record BroadcastNode(PlanNode Inner, TimeGrid Grid) : PlanNode(Grid, Inner.Position)
{
    public override ValueType Type => Inner.Type;

    public override IReadOnlyList<PlanNode> Children => [Inner];

    public override PlanNode With(IReadOnlyList<PlanNode> children) => this with { Inner = children[0] };
}

/// <summary>What the leaves answer to a fragment, put together: the place of the cut.</summary>
/// <param name="Index">Which fragment of the plan, in the order of the cut.</param>
/// <param name="Body">What a leaf evaluates.</param>
internal sealed record FragmentNode(int Index, PlanNode Body) : PlanNode(Body.Grid, Body.Position)
{
    public override ValueType Type => Body.Type;
}
