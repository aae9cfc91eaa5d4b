using Metrics.PromQL.Parsing;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Planning;

/// <summary>Makes the first plan from a syntax tree: resolves durations, <c>@</c> and the functions of the query's own bounds, and gives every node its grid.</summary>
/// <param name="query">The grid of the whole query.</param>
/// <param name="options">The engine's options.</param>
/// <param name="lookbackMs">How far instant selectors look back.</param>
internal sealed class PlanBuilder(TimeGrid query, EngineOptions options, long lookbackMs)
{
    // Calls around the part being planned: those that need but count and sum of histograms, and those that need them whole.
    private int statisticsCalls;
    private int wholeCalls;

    /// <summary>Plans a whole query.</summary>
    /// <exception cref="QueryException">A duration resolves to something that is none.</exception>
    public PlanNode Build(Expr expression) => Build(expression, query);

    private PlanNode Build(Expr expression, TimeGrid grid)
    {
        expression = StepInvariance.Unparenthesised(expression);
        if (grid.Count > 1 && expression is not (NumberLiteral or StringLiteral or MatrixSelector or SubqueryExpr) && StepInvariance.Holds(expression))
        {
            return new BroadcastNode(Build(expression, TimeGrid.Instant(grid.StartMs)), grid);
        }

        switch (expression)
        {
            case NumberLiteral number:
                return new NumberNode(number.Value, grid, number.Position);
            case StringLiteral text:
                return new StringNode(text.Value, grid, text.Position);
            case VectorSelector selector:
                return Select(selector, grid, new SelectionHints(grid.StepMs));
            case MatrixSelector matrix:
                return Matrix(matrix, grid, null);
            case SubqueryExpr subquery:
                // A reset of one bucket does not show in the count, and the samples of a subquery are too far apart to tell resets as they are read.
                wholeCalls++;
                var planned = Subquery(subquery, grid);
                wholeCalls--;
                return planned;
            case UnaryExpr unary:
                var operand = Build(unary.Operand, grid);
                return unary.IsMinus ? new NegateNode(operand, unary.Position) : operand;
            case AggregateExpr aggregate:
                return new AggregateNode(
                    aggregate.Operator,
                    Build(aggregate.Inner, grid),
                    aggregate.Parameter is null ? null : Build(aggregate.Parameter, grid),
                    aggregate.Grouping,
                    aggregate.Without,
                    aggregate.Position);
            case BinaryExpr binary:
                var trims = binary.Operator is BinaryOperator.TrimLower or BinaryOperator.TrimUpper ? 1 : 0;
                wholeCalls += trims;
                var (left, right) = (Build(binary.Left, grid), Build(binary.Right, grid));
                wholeCalls -= trims;
                return new BinaryNode(binary.Operator, left, right, binary.Matching, binary.ReturnBool, grid, binary.Position);
            case CallExpr call:
                var statistics = call.Function.Name is "histogram_count" or "histogram_sum" or "histogram_avg" ? 1 : 0;
                var whole = call.Function.Name is "histogram_quantile" or "histogram_quantiles" or "histogram_fraction" ? 1 : 0;
                statisticsCalls += statistics;
                wholeCalls += whole;
                var node = Call(call, grid);
                statisticsCalls -= statistics;
                wholeCalls -= whole;
                return node;
            default:
                throw new QueryException(QueryErrorKind.Internal, $"unhandled expression of type: {expression.GetType().Name}");
        }
    }

    private PlanNode Call(CallExpr call, TimeGrid grid)
    {
        switch (call.Function.Name)
        {
            case "start":
                return new NumberNode(query.StartMs / 1000.0, grid, call.Position);
            case "end":
                return new NumberNode(query.EndMs / 1000.0, grid, call.Position);
            case "range":
                return new NumberNode((query.EndMs - query.StartMs) / 1000.0, grid, call.Position);
            case "step":
                return new NumberNode(query.StartMs == query.EndMs ? 0 : query.StepMs / 1000.0, grid, call.Position);
        }

        var bare = new Expr[call.Arguments.Count];
        for (var i = 0; i < bare.Length; i++)
        {
            bare[i] = StepInvariance.Unparenthesised(call.Arguments[i]);
        }

        call = call with { Arguments = bare };
        if (call.Function.Name == "absent")
        {
            return new CallNode(call, [Any(Build(bare[0], grid))], grid);
        }

        if (call.Function.Name == "absent_over_time")
        {
            // Whether anything is there is all that counts, and shards can say that for themselves.
            var presence = new FunctionSignature("present_over_time", [ValueType.Matrix], 0, ValueType.Vector, false);
            return new CallNode(call, [Any(Call(call with { Function = presence }, grid))], grid);
        }

        if (call.Function.Name == InfoSelection.Function)
        {
            return new CallNode(call, [Build(bare[0], grid), Info(call, grid)], grid);
        }

        var matrixAt = Array.FindIndex(bare, a => a.Type == ValueType.Matrix);
        if (matrixAt < 0)
        {
            return new CallNode(call, [.. bare.Select(a => Build(a, grid))], grid);
        }

        CheckMode(call.Function.Name, bare[matrixAt]);
        var source = bare[matrixAt] is MatrixSelector matrix ? Matrix(matrix, grid, call.Function.Name) : Build(bare[matrixAt], grid);
        var parameters = new List<PlanNode>();
        for (var i = 0; i < bare.Length; i++)
        {
            if (i != matrixAt)
            {
                parameters.Add(Build(bare[i], grid));
            }
        }

        return new RangeCallNode(call, source, parameters, grid);
    }

    private SelectNode Info(CallExpr call, TimeGrid grid)
    {
        var (offsetMs, at) = InfoSelection.TimeOf(call.Arguments[0], d => DurationResolver.Resolve(d, mayBeNegative: true, query));
        return new SelectNode(
            InfoSelection.Of(call).Matchers, offsetMs, Resolve(at), RangeMode.None, lookbackMs, new SelectionHints(grid.StepMs, 0, InfoSelection.Function), grid, call.Position);
    }

    private static AggregateNode Any(PlanNode vector) => new(AggregateOperator.Group, vector, null, [], false, vector.Position);

    private static void CheckMode(string function, Expr source)
    {
        if (source is not MatrixSelector matrix)
        {
            return;
        }

        if (matrix.Selector.Mode == RangeMode.Anchored && function is not ("resets" or "changes" or "rate" or "increase" or "delta"))
        {
            throw new QueryException(
                QueryErrorKind.Execution,
                $"anchored modifier can only be used with: changes, delta, increase, rate, resets - not with {function}");
        }

        if (matrix.Selector.Mode == RangeMode.Smoothed && function is not ("rate" or "increase" or "delta"))
        {
            throw new QueryException(QueryErrorKind.Execution, $"smoothed modifier can only be used with: delta, increase, rate - not with {function}");
        }
    }

    private MatrixNode Matrix(MatrixSelector matrix, TimeGrid grid, string? function)
    {
        var rangeMs = DurationResolver.Resolve(matrix.Range, mayBeNegative: false, query);
        return new MatrixNode(Select(matrix.Selector, grid, new SelectionHints(grid.StepMs, rangeMs, function)), rangeMs, matrix.Position);
    }

    private SelectNode Select(VectorSelector selector, TimeGrid grid, SelectionHints hints) => new(
        selector.Matchers,
        DurationResolver.Resolve(selector.Offset, mayBeNegative: true, query),
        Resolve(selector.At),
        selector.Mode,
        lookbackMs,
        hints with { StatisticsOnly = statisticsCalls > 0 && wholeCalls == 0 },
        grid,
        selector.Position);

    private SubqueryNode Subquery(SubqueryExpr subquery, TimeGrid grid)
    {
        var offsetMs = DurationResolver.Resolve(subquery.Offset, mayBeNegative: true, query);
        var rangeMs = DurationResolver.Resolve(subquery.Range, mayBeNegative: false, query);
        var stepMs = subquery.Step is null ? options.DefaultSubqueryStepMs : DurationResolver.Resolve(subquery.Step, mayBeNegative: false, query);
        var at = Resolve(subquery.At);
        var last = (at ?? grid.At(grid.Count - 1)) - offsetMs;
        var before = (at ?? grid.StartMs) - offsetMs - rangeMs;

        // The inner grid begins at the first multiple of its step after the oldest window's open end.
        var first = stepMs * (before / stepMs);
        if (first <= before)
        {
            first += stepMs;
        }

        var inner = first > last
            ? new EmptyNode(TimeGrid.Instant(first), subquery.Position)
            : Build(subquery.Inner, new TimeGrid(first, last, stepMs));
        return new SubqueryNode(inner, rangeMs, offsetMs, at, grid, subquery.Position);
    }

    private long? Resolve(AtModifier at) => at.Kind switch
    {
        AtKind.Timestamp => at.TimeMs,
        AtKind.Start => query.StartMs,
        AtKind.End => query.EndMs,
        _ => null,
    };
}
