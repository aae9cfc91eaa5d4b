using Metrics.Model;
using Metrics.PromQL.Aggregates;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary>Groups of an aggregation: which group a series belongs to.</summary>
internal sealed class Grouping
{
    private const int None = -1;

    private readonly SharedHeaders? shared;
    private readonly int[] groupOf;

    /// <summary>Groups series by the labels that the aggregation names.</summary>
    public Grouping(AggregateNode node, IReadOnlyList<SeriesHeader> series)
    {
        var subset = new LabelSubset(node.Without ? [.. node.Grouping, Labels.MetricName] : node.Grouping, node.Without);
        var labels = new LabelSets();
        using var index = new LabelSetIndex();
        shared = series as SharedHeaders;
        if (shared is not null)
        {
            // Of those that differ, each that is some series' once.
            series = shared.Distinct;
            groupOf = new int[series.Count];
            Array.Fill(groupOf, None);
            foreach (var number in shared.Numbers)
            {
                if (groupOf[number] == None)
                {
                    groupOf[number] = index.Add(labels.Reduce(series[number].Labels, subset));
                }
            }
        }
        else
        {
            groupOf = new int[series.Count];
            for (var i = 0; i < groupOf.Length; i++)
            {
                ProcessorTurn.CheckpointAt(i);
                groupOf[i] = index.Add(labels.Reduce(series[i].Labels, subset));
            }
        }

        Headers = Array.ConvertAll(index.ToLabels(), static l => new SeriesHeader(l, false));
        for (var i = 0; i < groupOf.Length; i++)
        {
            if (groupOf[i] != None && series[i].DropName)
            {
                Headers[groupOf[i]] = Headers[groupOf[i]] with { DropName = true };
            }
        }
    }

    /// <summary>The groups as series.</summary>
    public SeriesHeader[] Headers { get; }

    /// <summary>The group of a series.</summary>
    public int Of(int series) => groupOf[shared is null ? series : shared.Numbers[series]];
}

/// <summary>Partial states with the groups they belong to.</summary>
internal sealed record PartialAggregation(SeriesHeader[] Groups, StateColumns States);

/// <summary>Runs aggregations that compute from series: batches in, states out; states of several parts in, results out.</summary>
internal static class AggregateRun
{
    /// <summary>Consumes an operator, which it disposes, into states.</summary>
    public static PartialAggregation Update(AggregateNode node, VectorOperator source, EvaluationContext context)
    {
        using (source)
        {
            var aggregate = Aggregate.For(node, context)!;
            var grouping = new Grouping(node, source.Series);
            var states = new StateColumns(grouping.Headers.Length, source.Steps, aggregate.NumberColumns);
            var series = source.Series;
            context.Budget.Take(states.Cells);
            var next = 0;
            while (source.Next() is { } batch)
            {
                using (batch)
                {
                    context.Checkpoint();
                    for (var i = 0; i < batch.Series; i++, next++)
                    {
                        var row = batch.Row(i);
                        if (!row.IsEmpty)
                        {
                            aggregate.Update(states, grouping.Of(next), row, SharedHeaders.QuotedOf(series, next));
                        }
                    }
                }
            }

            context.Budget.Release(states.Cells);
            return new PartialAggregation(grouping.Headers, states);
        }
    }

    /// <summary>Merges states of several parts, which it disposes. The order of parts is the order of summation.</summary>
    public static PartialAggregation Merge(AggregateNode node, IReadOnlyList<PartialAggregation> parts, EvaluationContext context)
    {
        if (parts.Count == 1)
        {
            return parts[0];
        }

        var aggregate = Aggregate.For(node, context)!;
        using var index = new LabelSetIndex();
        var groupsOf = new int[parts.Count][];
        for (var part = 0; part < parts.Count; part++)
        {
            groupsOf[part] = [.. parts[part].Groups.Select(g => index.Add(g.Labels.Encoded))];
        }

        var headers = Array.ConvertAll(index.ToLabels(), static l => new SeriesHeader(l, false));
        var states = new StateColumns(headers.Length, node.Grid.Count, aggregate.NumberColumns);
        for (var part = 0; part < parts.Count; part++)
        {
            for (var group = 0; group < groupsOf[part].Length; group++)
            {
                var into = groupsOf[part][group];
                headers[into] = headers[into] with { DropName = headers[into].DropName | parts[part].Groups[group].DropName };
                aggregate.Merge(states, into, parts[part].States, group);
            }

            parts[part].States.Dispose();
        }

        return new PartialAggregation(headers, states);
    }

    /// <summary>Turns states into results, in the order of the groups' labels, and disposes them. So nothing that looks at the order depends on how series are spread.</summary>
    public static VectorOperator Finish(AggregateNode node, PartialAggregation whole, EvaluationContext context)
    {
        var aggregate = Aggregate.For(node, context)!;
        var groups = (SeriesHeader[])whole.Groups.Clone();
        var order = new int[groups.Length];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(groups, order, Comparer<SeriesHeader>.Create(static (a, b) => a.Labels.CompareTo(b.Labels)));
        var batches = new List<StepBatch>();
        for (var from = 0; from < groups.Length; from += VectorOperator.BatchSize)
        {
            var batch = new StepBatch(Math.Min(VectorOperator.BatchSize, groups.Length - from), node.Grid.Count);
            for (var row = 0; row < batch.Series; row++)
            {
                aggregate.Finish(whole.States, order[from + row], batch.Row(row));
            }

            batches.Add(batch);
        }

        whole.States.Dispose();
        return new RowsOperator(node.Grid.Count, groups, batches);
    }
}
