using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Execution;

/// <summary><c>label_replace</c> and <c>label_join</c>: new labels for whole series, whatever their values.</summary>
internal static class LabelCalls
{
    public static VectorOperator Replace(CallNode node, VectorOperator source, EvaluationContext context)
    {
        var (target, replacement, from, pattern) = (Text(node, 1), Text(node, 2), Text(node, 3), Text(node, 4));
        CapturePattern regex;
        try
        {
            regex = CapturePattern.Compile(pattern);
        }
        catch (FormatException e)
        {
            throw new QueryException(QueryErrorKind.Execution, $"invalid regular expression in label_replace(): {pattern}", e);
        }

        Check(target, "destination", node.Name);
        return Relabel(source, context, target, labels => regex.Expand(labels[from], replacement));
    }

    public static VectorOperator Join(CallNode node, VectorOperator source, EvaluationContext context)
    {
        var (target, separator) = (Text(node, 1), Text(node, 2));
        var from = node.Arguments.Skip(3).Select(a => ((StringNode)a).Value).ToArray();
        foreach (var name in from)
        {
            Check(name, "source", node.Name);
        }

        Check(target, "destination", node.Name);
        return Relabel(source, context, target, labels => string.Join(separator, from.Select(n => labels[n])));
    }

    private static VectorOperator Relabel(VectorOperator source, EvaluationContext context, string target, Func<Labels, string?> valueOf)
    {
        var series = new SeriesHeader[source.Series.Count];
        var builder = new LabelsBuilder();
        for (var i = 0; i < series.Length; i++)
        {
            var before = source.Series[i];
            var value = valueOf(before.Labels);

            // A name that was set by hand is not dropped at the end.
            series[i] = value is null
                ? before
                : new SeriesHeader(builder.Reset(before.Labels).Set(target, value).ToLabels(), target != Labels.MetricName && before.DropName);
        }

        return DuplicateMerge.Apply(new RelabelledOperator(source, series), context);
    }

    private static string Text(CallNode node, int argument) => ((StringNode)node.Arguments[argument]).Value;

    private static void Check(string name, string which, string function)
    {
        if (name.Length == 0 || !GoText.IsValid(name))
        {
            throw new QueryException(QueryErrorKind.Execution, $"invalid {which} label name in {function}(): {name}");
        }
    }
}
