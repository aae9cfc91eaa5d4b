using BenchmarkDotNet.Attributes;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Micro.Storage;

/// <summary>One full XOR chunk of 120 samples: a counter scraped every 15 s with some jitter. Figures are per sample.</summary>
[MemoryDiagnoser]
public class ChunkBenchmarks
{
    private const int Samples = 120;
    private readonly long[] times = new long[Samples];
    private readonly double[] values = new double[Samples];
    private readonly byte[] buffer = new byte[XorChunk.MaxBytes(Samples)];
    private readonly SampleBuffer samples = new(Samples);
    private byte[] chunk = [];

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (var i = 0; i < Samples; i++)
        {
            times[i] = 1_700_000_000_000 + (i * 15_000L) + random.Next(3);
            values[i] = i == 0 ? 1000 : values[i - 1] + random.Next(50);
        }

        chunk = buffer[..XorChunk.Encode(times, values, buffer)];
    }

    [Benchmark(OperationsPerInvoke = Samples)]
    public int Encode() => XorChunk.Encode(times, values, buffer);

    [Benchmark(OperationsPerInvoke = Samples)]
    public int Decode()
    {
        samples.Clear();
        XorChunk.Decode(chunk, TimeRange.All, samples);
        return samples.Count;
    }
}
