using BenchmarkDotNet.Attributes;
using Metrics.Testing;
using Metrics.Wire;

namespace Metrics.Micro;

/// <summary>Reading a request of 2,000 series with one sample each: as for known series, and with every label.</summary>
[MemoryDiagnoser]
public class WriteRequestBenchmarks
{
    private const int Series = 2000;

    private byte[] request = [];

    [GlobalSetup]
    public void Setup() => request = new ScrapeBodies(new KubernetesSeries().Take(Series)).Request(0, Series, 1);

    [Benchmark(OperationsPerInvoke = Series)]
    public double KnownSeries()
    {
        var sum = 0.0;
        var reader = new WriteRequestReader(request);
        while (reader.Read() == WriteRequestPart.Series)
        {
            var series = reader.GetSeries();
            sum += series.RawLabels.Length;
            foreach (var sample in series.Samples)
            {
                sum += sample.Value + sample.TimestampMs;
            }
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = Series)]
    public int EveryLabel()
    {
        var bytes = 0;
        var reader = new WriteRequestReader(request);
        while (reader.Read() == WriteRequestPart.Series)
        {
            foreach (var label in reader.GetSeries().Labels)
            {
                bytes += label.Name.Length + label.Value.Length;
            }
        }

        return bytes;
    }
}
