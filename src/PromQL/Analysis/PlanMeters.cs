using System.Diagnostics;
using Metrics.PromQL.Planning;

namespace Metrics.PromQL.Analysis;

/// <summary>A meter for each node of a plan, made before it runs. Thread-safe.</summary>
internal sealed class PlanMeters
{
    /// <summary>Numbers for each node that cross between processes: ticks, series, samples.</summary>
    public const int NumbersEach = 3;

    private readonly Dictionary<PlanNode, OperatorMeter> meters = new(ReferenceEqualityComparer.Instance);

    /// <summary>Makes the meters of a plan or a fragment's body.</summary>
    public PlanMeters(PlanNode root) => Add(root);

    /// <summary>The meter of a node.</summary>
    public OperatorMeter Of(PlanNode node) => meters[node];

    /// <summary>Takes the time until it is disposed.</summary>
    public Scope Measure(PlanNode node) => new(meters[node]);

    /// <summary>Notes time spent for one node that all of those above it waited for.</summary>
    public void AddAlong(PlanNode root, PlanNode target, TimeSpan took) => IsOnPath(root, target, took);

    /// <summary>The numbers of all nodes, parents before children: <see cref="NumbersEach"/> each.</summary>
    public long[] ToNumbers(PlanNode root)
    {
        var numbers = new List<long>(meters.Count * NumbersEach);
        Write(root, numbers);
        return [.. numbers];
    }

    private void Add(PlanNode node)
    {
        if (meters.TryAdd(node, new OperatorMeter()))
        {
            foreach (var child in node.Children)
            {
                Add(child);
            }
        }
    }

    private bool IsOnPath(PlanNode node, PlanNode target, TimeSpan took)
    {
        var isOn = ReferenceEquals(node, target) || (node is MatrixNode matrix && ReferenceEquals(matrix.Selector, target));
        foreach (var child in node.Children)
        {
            isOn = isOn || IsOnPath(child, target, took);
        }

        if (isOn)
        {
            Of(node).AddTime(took);
        }

        return isOn;
    }

    private void Write(PlanNode node, List<long> to)
    {
        var meter = Of(node);
        to.AddRange([meter.Ticks, meter.Series, meter.Samples]);
        foreach (var child in node.Children)
        {
            Write(child, to);
        }
    }

    /// <summary>Takes the time of a stretch of code.</summary>
    internal readonly struct Scope(OperatorMeter? meter) : IDisposable
    {
        private readonly long from = meter is null ? 0 : Stopwatch.GetTimestamp();

        /// <inheritdoc/>
        public void Dispose() => meter?.AddTime(Stopwatch.GetElapsedTime(from));
    }
}
