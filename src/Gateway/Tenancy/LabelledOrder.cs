using Metrics.Cluster;
using Metrics.Model;
using Metrics.PromQL;

namespace Metrics.Gateway.Tenancy;

/// <summary>Brings series back into order that were in order before each got one more label. Not thread-safe.</summary>
/// <remarks>
/// One label more on all of them leaves them in order, save one whose labels all sort before the new one and begin those of others:
/// <code>
///   {__name__="m"}            {__name__="m", tenant="a"}                    comes after {__name__="m", job="x", tenant="a"}
///   {__name__="m", job="x"}
/// </code>
/// Such a series waits, with its samples, until those that it begins have passed. Those that wait begin one another, so there are never more than a series has labels. A series that has a label of the new
/// one's name itself, which is put under another name, can come out of order all the same.
/// </remarks>
internal sealed class LabelledOrder(AddedLabel added) : IDisposable
{
    private readonly Stack<RawSeries> waiting = new();
    private readonly LabelsBuilder builder = new();
    private SampleBuffer? given;

    /// <summary>True when a series that waits comes before the next one of the source, or the source has ended; it lasts until the next call.</summary>
    /// <param name="next">The labels of the next one, or null at the end.</param>
    /// <param name="series">The one that waited, with its new label.</param>
    public bool TryTake(Labels? next, out RawSeries series)
    {
        given?.Dispose();
        given = null;
        if (!waiting.TryPeek(out series) || (next is not null && Begins(series.Labels, next)))
        {
            return false;
        }

        waiting.Pop();
        given = series.Samples;
        series = series with { Labels = added.AddTo(series.Labels, builder) };
        return true;
    }

    /// <summary>Gives the next series of the source its label; false when it has to wait, and a copy of it does. To be called once <see cref="TryTake"/> has no more.</summary>
    public bool TryPass(RawSeries next, out RawSeries series)
    {
        series = default;
        if (MayBegin(next.Labels))
        {
            var copy = new SampleBuffer(Math.Max(1, next.Samples.Count));
            copy.AddAllFrom(next.Samples);
            waiting.Push(new RawSeries(next.Labels, copy));
            return false;
        }

        series = next with { Labels = added.AddTo(next.Labels, builder) };
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        given?.Dispose();
        while (waiting.TryPop(out var series))
        {
            series.Samples.Dispose();
        }
    }

    private bool MayBegin(Labels labels)
    {
        ReadOnlySpan<byte> last = default;
        foreach (var label in labels)
        {
            last = label.Name;
        }

        return last.SequenceCompareTo(added.NameBytes) < 0;
    }

    /// <summary>True when the labels of one are the first of another's, whose next one sorts before the new label.</summary>
    private bool Begins(Labels one, Labels other)
    {
        var left = one.GetEnumerator();
        var right = other.GetEnumerator();
        while (left.MoveNext())
        {
            if (!right.MoveNext() || !left.Current.Name.SequenceEqual(right.Current.Name) || !left.Current.Value.SequenceEqual(right.Current.Value))
            {
                return false;
            }
        }

        return right.MoveNext() && right.Current.Name.SequenceCompareTo(added.NameBytes) < 0;
    }
}
