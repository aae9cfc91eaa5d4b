using System.Text;
using Metrics.Model;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Alerting;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Rules.Groups;

/// <summary>Which rules of a group may be evaluated side by side without anyone noticing.</summary>
/// <remarks>
/// A rule waits for an earlier one when it may read what that one writes, when the earlier one may read what it writes itself (in file order that one sees
/// the value of the tick before), or when both write the same metric (the first wins). Whatever is left may run at the same time: rules fall into steps, and every
/// rule of a step only waits for earlier steps. A rule whose selectors or templates can't be told reads everything.
/// </remarks>
internal static class RuleDependencies
{
    private static readonly byte[] alerts = Encoding.UTF8.GetBytes(AlertingRule.AlertsMetric);
    private static readonly byte[] forState = Encoding.UTF8.GetBytes(AlertingRule.ForStateMetric);

    /// <summary>The rules as steps; together they hold every index once, and within a step they ascend.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> StepsOf(IReadOnlyList<Rule> rules)
    {
        var reads = rules.Select(ReadsOf).ToArray();
        var stepOf = new int[rules.Count];
        var steps = new List<List<int>>();
        for (var i = 0; i < rules.Count; i++)
        {
            for (var earlier = 0; earlier < i; earlier++)
            {
                var isBound = MayRead(reads[i], rules[earlier]) || MayRead(reads[earlier], rules[i]) || WriteTheSame(rules[i], rules[earlier]);
                if (isBound)
                {
                    stepOf[i] = Math.Max(stepOf[i], stepOf[earlier] + 1);
                }
            }

            if (stepOf[i] == steps.Count)
            {
                steps.Add([]);
            }

            steps[stepOf[i]].Add(i);
        }

        return steps;
    }

    private static bool WriteTheSame(Rule one, Rule other) => one is RecordingRule == other is RecordingRule && one.Name == other.Name;

    /// <summary>The selectors of a rule; null when it may read anything.</summary>
    private static List<IReadOnlyList<Matcher>>? ReadsOf(Rule rule)
    {
        if (rule is AlertingRule alert && alert.Labels.AsEnumerable().Concat(alert.Spec.Annotations).Any(static t => t.Value.Contains("{{") && t.Value.Contains("query")))
        {
            return null;
        }

        var selectors = new List<IReadOnlyList<Matcher>>();
        return Collect(rule.Spec.Expression, selectors) ? selectors : null;
    }

    private static bool MayRead(List<IReadOnlyList<Matcher>>? selectors, Rule written)
    {
        if (selectors is null)
        {
            return true;
        }

        foreach (var matchers in selectors)
        {
            var isAlert = written is AlertingRule;
            if (isAlert
                ? (Fits(matchers, Labels.MetricName, alerts) || Fits(matchers, Labels.MetricName, forState)) && Fits(matchers, "alertname", Encoding.UTF8.GetBytes(written.Name))
                : Fits(matchers, Labels.MetricName, Encoding.UTF8.GetBytes(written.Name)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Fits(IReadOnlyList<Matcher> matchers, string label, byte[] value)
    {
        foreach (var matcher in matchers)
        {
            if (matcher.Name == label && !matcher.Matches(value))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Collects the selectors of an expression; false when one names no metric at all.</summary>
    private static bool Collect(Expr expression, List<IReadOnlyList<Matcher>> selectors)
    {
        switch (expression)
        {
            case VectorSelector selector:
                selectors.Add(selector.Matchers);
                return selector.Matchers.Any(static m => m.Name == Labels.MetricName && (m.Type is MatchType.Equal or MatchType.Regex));
            case MatrixSelector matrix:
                return Collect(matrix.Selector, selectors);
            case SubqueryExpr subquery:
                return Collect(subquery.Inner, selectors);
            case ParenExpr paren:
                return Collect(paren.Inner, selectors);
            case UnaryExpr unary:
                return Collect(unary.Operand, selectors);
            case CallExpr call:
                // info() selects series that stand nowhere in the expression.
                return call.Function.Name != "info" && call.Arguments.All(a => Collect(a, selectors));
            case AggregateExpr aggregate:
                return Collect(aggregate.Inner, selectors) && (aggregate.Parameter is null || Collect(aggregate.Parameter, selectors));
            case BinaryExpr binary:
                return Collect(binary.Left, selectors) && Collect(binary.Right, selectors);
            default:
                return true;
        }
    }
}
