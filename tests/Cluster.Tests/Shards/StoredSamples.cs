using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests;

/// <summary>What a store has, by name and time.</summary>
internal static class StoredSamples
{
    /// <summary>Everything that can be read, each sample once.</summary>
    public static SortedDictionary<(string Name, long Time), double> Of(ShardStore store)
    {
        var sets = new List<ISeriesSet>();
        store.Select([new Matcher(MatchType.Regex, "__name__", ".+")], TimeRange.All, new Metrics.PromQL.SelectionHints(), sets, CancellationToken.None);
        using var merged = MergedSeriesSet.Of(sets, CancellationToken.None);
        var found = new SortedDictionary<(string, long), double>();
        using var samples = new SampleBuffer();
        for (var i = 0; i < merged.Count; i++)
        {
            samples.Clear();
            merged.Read(i, samples);
            for (var s = 0; s < samples.Count; s++)
            {
                found.Add((merged.LabelsOf(i)["__name__"], samples.Times[s]), samples.Values[s]);
            }
        }

        return found;
    }
}
