using Metrics.Model;

namespace Metrics.PromQL.Tests.Execution;

/// <summary>Series in memory, and their split into shards by hash as production splits them.</summary>
internal sealed class MemorySeries : ISeriesSource
{
    private readonly List<(Labels Labels, long[] Times, double[] Values)> series = [];

    public int Selections { get; private set; }

    public MemorySeries Add(Labels labels, long[] times, double[] values)
    {
        series.Add((labels, times, values));
        return this;
    }

    public IReadOnlyList<IQueryLeaf> Leaves(int bits, EngineOptions options) =>
        [.. HashRange.Partition(bits).Select(range =>
        {
            var part = new MemorySeries();
            part.series.AddRange(series.Where(s => range.Contains(s.Labels.Hash)));
            return new LocalLeaf(part, options);
        })];

    public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation)
    {
        Selections++;
        return new ValueTask<ISeriesSet>(new Found([.. series.Where(s => Matcher.AllMatch(selection.Matchers, s.Labels))], selection.Range));
    }

    private sealed class Found((Labels Labels, long[] Times, double[] Values)[] found, TimeRange range) : ISeriesSet
    {
        public int Count => found.Length;

        public Labels LabelsOf(int index) => found[index].Labels;

        public void Read(int index, SampleBuffer into)
        {
            for (var i = 0; i < found[index].Times.Length; i++)
            {
                if (range.Contains(found[index].Times[i]))
                {
                    into.Add(found[index].Times[i], found[index].Values[i]);
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
