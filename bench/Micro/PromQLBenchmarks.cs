using BenchmarkDotNet.Attributes;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Micro;

/// <summary>Twenty shapes of queries over series in memory, instant and over an hour at 15 s, with what they allocate.</summary>
[MemoryDiagnoser]
public class PromQLBenchmarks
{
    private const long StepMs = 15_000;
    private const int Samples = 280;

    private QueryEngine engine = null!;
    private IQueryLeaf[] leaves = null!;
    private TimeGrid grid;

    [Params(1_000, 100_000)]
    public int Series { get; set; }

    [Params(false, true)]
    public bool Range { get; set; }

    [ParamsSource(nameof(Shapes))]
    public string Query { get; set; } = "";

    public static IEnumerable<string> Shapes =>
    [
        "m_total", "-m_total", "m_total * 2", "m_total > 500", "sum(m_total)", "sum by (job) (m_total)", "avg without (instance) (m_total)",
        "max by (job) (m_total)", "count(m_total)", "stddev by (job) (m_total)", "topk(5, m_total)", "quantile by (job) (0.9, m_total)",
        "rate(m_total[5m])", "sum(rate(m_total[5m]))", "sum by (job) (increase(m_total[5m]))", "max_over_time(m_total[5m])",
        "avg by (job) (avg_over_time(m_total[5m]))", "sum by (job) (m_total) / count by (job) (m_total)", "m_total / ignoring (x) m_total",
        "m_total and on (instance) (m_total > 500)",
    ];

    [GlobalSetup]
    public void Setup()
    {
        var options = new EngineOptions { Parsing = ParseOptions.All };
        engine = new QueryEngine(options);
        leaves = [new LocalLeaf(new CounterSource(Series), options)];
        grid = Range ? new TimeGrid(600_000, 600_000 + 3_600_000, StepMs) : TimeGrid.Instant(600_000);
    }

    [Benchmark]
    public async Task<int> Run()
    {
        using var result = await engine.ExecuteAsync(new QueryRequest(Query, grid, Range), leaves, default).ConfigureAwait(false);
        return result.Series.Count;
    }

    /// <summary>Counters that grow by their index each step; samples are computed, not stored.</summary>
    private sealed class CounterSource : ISeriesSource, ISeriesSet
    {
        private readonly Labels[] labels;

        public CounterSource(int series)
        {
            labels = new Labels[series];
            for (var i = 0; i < series; i++)
            {
                labels[i] = Labels.Of(("__name__", "m_total"), ("instance", $"host-{i:000000}"), ("job", $"job-{i % 20}"));
            }
        }

        public int Count => labels.Length;

        public ValueTask<ISeriesSet> SelectAsync(SeriesSelection selection, CancellationToken cancellation) => new(this);

        public Labels LabelsOf(int index) => labels[index];

        public void Read(int index, SampleBuffer into)
        {
            into.Reserve(Samples, out var times, out var values);
            for (var i = 0; i < Samples; i++)
            {
                times[i] = i * StepMs;
                values[i] = (double)i * (index % 10);
            }

            into.Advance(Samples);
        }

        public void Dispose()
        {
        }
    }
}
