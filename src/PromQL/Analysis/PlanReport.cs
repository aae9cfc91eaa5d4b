using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Analysis;

/// <summary>Writes up a plan: what its operators are, or what they took.</summary>
/// <remarks>A selector that stands in a query several times is read once: its figures are with its first place, and the others say so.</remarks>
internal sealed class PlanReport
{
    private const string Shared = " (read above)";

    private readonly PlanMeters meters;
    private readonly FragmentResult[][] answers;
    private readonly HashSet<PlanNode> seen = new(ReferenceEqualityComparer.Instance);

    private PlanReport(PlanMeters meters, FragmentResult[][] answers)
    {
        this.meters = meters;
        this.answers = answers;
    }

    /// <summary>The operators of a plan.</summary>
    /// <param name="node">The plan.</param>
    /// <param name="shards">How many shards answer its fragments.</param>
    public static PlanOutline Outline(PlanNode node, int shards) =>
        node is FragmentNode fragment
            ? new PlanOutline(NameOf(fragment, shards), [Outline(fragment.Body, shards)])
            : new PlanOutline(OperatorName.Of(node), [.. Below(node).Select(c => Outline(c, shards))]);

    /// <summary>What the operators of a plan took.</summary>
    /// <param name="root">The plan.</param>
    /// <param name="meters">What the gateway's part took.</param>
    /// <param name="answers">What shards say that theirs took, by fragment.</param>
    /// <param name="peakSamples">The most samples that the query held at once.</param>
    public static OperatorReport Of(PlanNode root, PlanMeters meters, FragmentResult[][] answers, long peakSamples) =>
        new PlanReport(meters, answers).Report(root) with { PeakSamples = peakSamples };

    private OperatorReport Report(PlanNode node)
    {
        var meter = meters.Of(node);
        if (!seen.Add(node))
        {
            return new OperatorReport((node is FragmentNode twice ? NameOf(twice, answers[twice.Index].Length) : OperatorName.Of(node)) + Shared, default, 0, 0, 0, []);
        }

        return node is FragmentNode fragment
            ? Shards(fragment, meter)
            : Made(OperatorName.Of(node), meter.Ticks, meter.Series, meter.Samples, [.. Below(node).Select(Report)]);
    }

    private OperatorReport Shards(FragmentNode fragment, OperatorMeter meter)
    {
        var (peak, nodes) = (0L, CountOf(fragment.Body));
        var numbers = new long[nodes * PlanMeters.NumbersEach];
        foreach (var answer in answers[fragment.Index])
        {
            peak += answer.Statistics.PeakSamples;
            if (answer.Meters?.Length == numbers.Length)
            {
                for (var i = 0; i < numbers.Length; i++)
                {
                    numbers[i] += answer.Meters[i];
                }
            }
        }

        // What counts of the shards' samples depends on where the fragment stands: none within a subquery, those of each step where it is evaluated once for all.
        var looked = 0L;
        for (var i = PlanMeters.NumbersEach - 1; i < numbers.Length; i += PlanMeters.NumbersEach)
        {
            looked += numbers[i];
        }

        var at = 0;
        var body = Body(fragment.Body, numbers, ref at, meter.Samples, looked);
        var series = meter.Series > 0 ? meter.Series : body.Series;
        return new OperatorReport(NameOf(fragment, answers[fragment.Index].Length), new TimeSpan(meter.Ticks), series, body.Samples, peak, [body]);
    }

    private static OperatorReport Body(PlanNode node, long[] numbers, ref int at, long counted, long looked)
    {
        var (ticks, series, samples) = (numbers[at], numbers[at + 1], numbers[at + 2]);
        at += PlanMeters.NumbersEach;
        var children = new List<OperatorReport>();
        foreach (var child in node.Children)
        {
            var report = Body(child, numbers, ref at, counted, looked);
            if (child is not MatrixNode)
            {
                children.Add(report);
            }
        }

        return Made(OperatorName.Of(node), ticks, series, looked == 0 ? 0 : (long)((Int128)samples * counted / looked), children);
    }

    /// <summary>A report; samples that an operator looked at itself while it read others too get a place of their own, so that those of the leaves are all there are.</summary>
    private static OperatorReport Made(string name, long ticks, long series, long own, List<OperatorReport> children)
    {
        if (own > 0 && children.Count > 0)
        {
            children.Insert(0, new OperatorReport("[samples]", default, 0, own, 0, []));
            own = 0;
        }

        return new OperatorReport(name, new TimeSpan(ticks), series, own + children.Sum(static c => c.Samples), 0, children);
    }

    /// <summary>The nodes that have operators of their own: a range selector is read by its function.</summary>
    private static IEnumerable<PlanNode> Below(PlanNode node) => node.Children.Where(static c => c is not MatrixNode);

    private static int CountOf(PlanNode node) => 1 + node.Children.Sum(CountOf);

    private static string NameOf(FragmentNode fragment, int shards) => $"{OperatorName.Of(fragment)} {shards}";
}
