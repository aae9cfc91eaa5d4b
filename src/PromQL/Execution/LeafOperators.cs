using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Operators of a leaf, over a run of the series that its one selector found.</summary>
internal sealed class LeafOperators(SelectedSeries selected, EvaluationContext context) : OperatorFactory(context)
{
    /// <inheritdoc/>
    public override VectorOperator OpenSelector(SelectNode node, SampleColumn column) => new SelectOperator(node, selected, column, Context);

    /// <inheritdoc/>
    public override VectorOperator Unique(VectorOperator source) => source;

    /// <inheritdoc/>
    /// <remarks>They do; see <see cref="SeriesOrder"/>.</remarks>
    protected override VectorOperator InOrder(VectorOperator source) => source;

    /// <inheritdoc/>
    protected override WindowSource OpenWindows(PlanNode source) => new SelectorWindows((MatrixNode)source, selected);

    /// <inheritdoc/>
    protected override VectorOperator OpenFragment(FragmentNode node) => throw new QueryException(QueryErrorKind.Internal, "a fragment within a fragment");
}
