using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Which series have something left in a range after what was deleted of them: all but those of which one deletion takes the whole range, as <see cref="UndeletedSeriesSet"/> has it.</summary>
internal sealed class UndeletedSeries
{
    private readonly List<List<Matcher>> gone;

    private UndeletedSeries(List<List<Matcher>> gone) => this.gone = gone;

    /// <summary>What deletions leave of a range; null when they leave something of every series.</summary>
    public static UndeletedSeries? Of(IReadOnlyList<SeriesDeletion> deletions, TimeRange range)
    {
        var whole = new List<List<Matcher>>();
        foreach (var deletion in deletions)
        {
            if (deletion.Range.Covers(range))
            {
                whole.Add(deletion.Matchers.Select(static m => m.ToMatcher()).ToList());
            }
        }

        return whole.Count == 0 ? null : new UndeletedSeries(whole);
    }

    /// <summary>True when something is left of a series.</summary>
    public bool Has(ReadOnlySpan<byte> canonical)
    {
        var labels = Labels.FromEncoded(canonical);
        return !gone.Exists(matchers => Matcher.AllMatch(matchers, labels));
    }
}
