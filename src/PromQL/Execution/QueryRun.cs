using System.Diagnostics;
using System.Text;
using Metrics.Model;
using Metrics.PromQL.Analysis;
using Metrics.PromQL.Planning;
using ValueType = Metrics.PromQL.Parsing.ValueType;

namespace Metrics.PromQL.Execution;

/// <summary>The last part of a query: from the leaves' answers to the result.</summary>
internal sealed class QueryRun
{
    private readonly QueryRequest request;
    private readonly EngineOptions options;
    private readonly QueryPlan plan;
    private readonly AnnotationSet annotations = new();
    private readonly QueryBudget budget;
    private readonly SampleCounter counter;
    private readonly EvaluationContext context;
    private readonly GatewayOperators operators;
    private readonly QueryStatistics statistics = new();
    private readonly FragmentResult[][] answers;
    private readonly PlanMeters? meters;
    private readonly MemoryLease memory;

    public QueryRun(QueryRequest request, EngineOptions options, QueryPlan plan, FragmentResult[][] answers, PlanMeters? meters, MemoryLease memory, CancellationToken cancellation)
    {
        this.request = request;
        this.options = options;
        this.plan = plan;
        this.answers = answers;
        this.meters = meters;
        this.memory = memory;
        budget = new QueryBudget(request.Bounds.SamplesUnder(options.MaxSamples), request.Bounds, memory);
        counter = new SampleCounter(request.Grid, request.PerStepStatistics);
        context = new EvaluationContext(options, budget, counter, annotations, cancellation, meters);
        operators = new GatewayOperators(answers, context);
        Count(plan.Root, counter);
        foreach (var answer in answers.SelectMany(static a => a))
        {
            if (!answer.IsCounted)
            {
                memory.Take(answer.EstimatedBytes);
            }

            statistics.Preparation = answer.Statistics.Preparation > statistics.Preparation ? answer.Statistics.Preparation : statistics.Preparation;
            statistics.PeakSamples += answer.Statistics.PeakSamples;
            statistics.FetchedSeries += answer.Statistics.FetchedSeries;
            statistics.FetchedBytes += answer.Statistics.FetchedBytes;
            statistics.FetchedChunks += answer.Statistics.FetchedChunks;
            foreach (var annotation in answer.Annotations)
            {
                annotations.Add(annotation);
            }
        }
    }

    /// <summary>Computes the result.</summary>
    /// <exception cref="QueryException">It can't be, or meets a bound.</exception>
    public QueryResult Finish()
    {
        request.Bounds.CheckSeries(statistics.FetchedSeries);
        request.Bounds.CheckChunks(statistics.FetchedChunks);
        request.Bounds.CheckBytes(statistics.FetchedBytes);
        var root = plan.Root;
        switch (root.Type)
        {
            case ValueType.String:
                return Result(ValueType.String, [], ((StringNode)root).Value);
            case ValueType.Scalar when !request.IsRange:
                return Result(ValueType.Scalar, [Scalar(root)], null);
            case ValueType.Scalar:
                return Result(ValueType.Matrix, [Scalar(root)], null);
            case ValueType.Matrix:
                return Result(ValueType.Matrix, Limited(Matrix(root)), null);
            default:
                return Result(request.IsRange ? ValueType.Matrix : ValueType.Vector, Limited(Vector(root)), null);
        }
    }

    /// <summary>Counts what the leaves did for each fragment, in its place of the plan.</summary>
    private void Count(PlanNode node, SampleCounter into)
    {
        switch (node)
        {
            case FragmentNode fragment:
                var counting = into.For(meters?.Of(fragment));
                foreach (var answer in answers[fragment.Index])
                {
                    counting.Add(SampleTally.Of(answer.Statistics), fragment.Grid);
                }

                break;
            case RangeCallNode { Source: FragmentNode { Body: MatrixNode } } call:
                // Its windows are looked at here.
                CountAll(call.Parameters, into);
                break;
            case RangeCallNode { Source: SubqueryNode subquery } call:
                Count(subquery.Inner, into.Below(subquery, call.Grid));
                CountAll(call.Parameters, into);
                break;
            case BroadcastNode broadcast:
                Count(broadcast.Inner, into.Once(broadcast.Grid));
                break;
            default:
                CountAll(node.Children, into);
                break;
        }
    }

    private void CountAll(IReadOnlyList<PlanNode> nodes, SampleCounter into)
    {
        foreach (var node in nodes)
        {
            Count(node, into);
        }
    }

    private QueryResult Result(ValueType type, IReadOnlyList<ResultSeries> series, string? text)
    {
        var query = Encoding.UTF8.GetBytes(request.Query);
        statistics.PeakSamples = Math.Max(statistics.PeakSamples, budget.Peak);
        counter.CopyTo(statistics);
        var remarks = annotations.ToList();
        return new QueryResult
        {
            Type = type,
            Series = series,
            Text = text,
            TimeMs = request.Grid.StartMs,
            Warnings = [.. remarks.Where(static a => a.IsWarning).Select(a => AnnotationText.Of(a, query)), .. truncated ? [Truncation] : Array.Empty<string>()],
            Infos = [.. remarks.Where(static a => !a.IsWarning).Select(a => AnnotationText.Of(a, query))],
            Statistics = statistics,
            Analysis = meters is null ? null : PlanReport.Of(plan.Root, meters, answers, statistics.PeakSamples),
            Memory = memory,
        };
    }

    private const string Truncation = "results truncated due to limit";

    private bool truncated;

    private IReadOnlyList<ResultSeries> Limited(List<ResultSeries> series)
    {
        if (request.Limit <= 0 || series.Count <= request.Limit)
        {
            return series;
        }

        truncated = true;
        foreach (var cut in series.Skip(request.Limit))
        {
            cut.Points.Dispose();
        }

        return series.GetRange(0, request.Limit);
    }

    private ResultSeries Scalar(PlanNode root)
    {
        var values = operators.Scalar(root);
        var points = new SampleBuffer(values.Length);
        for (var step = 0; step < values.Length; step++)
        {
            points.Add(root.Grid.At(step), values[step]);
        }

        return new ResultSeries(Labels.Empty, points);
    }

    private List<ResultSeries> Vector(PlanNode root)
    {
        var series = Points(operators.Build(root), root.Grid);
        return request.IsRange ? Sorted(series) : series;
    }

    private List<ResultSeries> Matrix(PlanNode root)
    {
        List<ResultSeries> series;
        if (root is SubqueryNode subquery)
        {
            series = subquery.Inner.Type == ValueType.Scalar ? [Scalar(subquery.Inner)] : Points(operators.Build(subquery.Inner), subquery.Inner.Grid);
        }
        else
        {
            series = [];
            foreach (var (header, samples) in operators.Samples((FragmentNode)root))
            {
                if (samples.Count > 0)
                {
                    var copy = new SampleBuffer(samples.Count);
                    samples.CopyTo(copy);
                    series.Add(new ResultSeries(header.Labels, copy));
                }
            }
        }

        return Sorted(series);
    }

    private List<ResultSeries> Sorted(List<ResultSeries> series)
    {
        var from = Stopwatch.GetTimestamp();
        series.Sort(static (a, b) => a.Labels.CompareTo(b.Labels));
        statistics.Sorting = Stopwatch.GetElapsedTime(from);
        return series;
    }

    private List<ResultSeries> Points(VectorOperator source, TimeGrid grid)
    {
        source = options.DelayedNameRemoval ? NamesDropped(source) : source;
        using var whole = Materialised.From(source, context);
        var series = new List<ResultSeries>(whole.Rows.Count);
        var seen = new HashSet<Labels>();
        for (var i = 0; i < whole.Rows.Count; i++)
        {
            var row = whole.Rows[i];
            if (row.IsEmpty)
            {
                continue;
            }

            if (!seen.Add(whole.Series[i].Labels))
            {
                throw new QueryException(QueryErrorKind.Execution, ResultRows.Duplicate);
            }

            var points = new SampleBuffer(grid.Count);
            for (var step = 0; step < row.Steps; step++)
            {
                if (!row.Has(step))
                {
                    continue;
                }

                if (row.Histogram(step) is { } histogram)
                {
                    points.Add(grid.At(step), histogram);
                }
                else
                {
                    points.Add(grid.At(step), row.Values[step]);
                }
            }

            series.Add(new ResultSeries(whole.Series[i].Labels, points));
        }

        return series;
    }

    /// <summary>Drops the names whose dropping was delayed.</summary>
    private VectorOperator NamesDropped(VectorOperator source)
    {
        var labels = new LabelSets();
        var series = new SeriesHeader[source.Series.Count];
        for (var i = 0; i < series.Length; i++)
        {
            var header = source.Series[i];
            series[i] = header.DropName ? new SeriesHeader(labels.WithoutMetadata(header.Labels), false) : header;
        }

        return DuplicateMerge.Apply(new RelabelledOperator(source, series), context);
    }
}
