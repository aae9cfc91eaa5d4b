using Metrics.Model;
using Metrics.PromQL.Tests.Exchange;

namespace Metrics.PromQL.Tests.Reference;

/// <summary>Test data as one shard of several.</summary>
internal sealed class NaiveSource(IEnumerable<NaiveSeries> series) : ISeriesSource
{
    private readonly List<NaiveSeries> all = [.. series];

    /// <summary>Spreads series over shards by their hash.</summary>
    public static IReadOnlyList<IQueryLeaf> Shards(IReadOnlyList<NaiveSeries> data, int shards, EngineOptions options) =>
        [.. Enumerable.Range(0, shards).Select(n => Leaf(n, new LocalLeaf(new NaiveSource(data.Where(s => (int)((s.Labels.Hash >> 32) % (uint)shards) == n)), options)))];

    // Every other one is elsewhere.
    private static IQueryLeaf Leaf(int shard, LocalLeaf leaf) => shard % 2 == 0 ? leaf : new WiredLeaf(leaf);

    public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation) =>
        ValueTask.FromResult<ISeriesSet>(new Set([.. all.Where(s => Matcher.AllMatch(selection.Matchers, s.Labels))], selection.Range));

    private sealed class Set(List<NaiveSeries> found, TimeRange range) : ISeriesSet
    {
        public int Count => found.Count;

        public Labels LabelsOf(int index) => found[index].Labels;

        public void Read(int index, SampleBuffer into)
        {
            foreach (var sample in found[index].Samples)
            {
                if (!range.Contains(sample.TimeMs))
                {
                    continue;
                }

                if (sample.Histogram is null)
                {
                    into.Add(sample.TimeMs, sample.Value);
                }
                else
                {
                    into.Add(sample.TimeMs, sample.Histogram);
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
