using BenchmarkDotNet.Attributes;
using Metrics.Model;
using Metrics.Storage;
using Metrics.Testing;

namespace Metrics.Micro.Storage;

/// <summary>Dense chunks of 480 samples beside XOR chunks of 120, by kind of series, times in a column that is decoded already. Figures are per sample.</summary>
[MemoryDiagnoser]
public class DenseChunkBenchmarks
{
    private const int Samples = 480;
    private const int XorSamples = 120;
    private readonly long[] times = new long[Samples];
    private readonly ValueEncoder encoder = new();
    private readonly SampleBuffer samples = new(Samples);
    private readonly byte[] buffer = new byte[XorChunk.MaxBytes(XorSamples)];
    private readonly byte[][] xor = new byte[Samples / XorSamples][];
    private double[] values = [];
    private byte[] dense = [];
    private ValueForm form;

    /// <summary>The kind of series.</summary>
    [Params("constant", "request counter", "memory bytes", "two decimals", "cpu seconds", "ratio", "real doubles")]
    public string Kind { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        values = ValueShapes.Make(Kind, Samples, 1);
        for (var i = 0; i < Samples; i++)
        {
            times[i] = 1_700_000_000_000 + (i * 15_000L) + random.Next(3);
        }

        dense = encoder.Encode(values, out form).ToArray();
        EncodeXor();
    }

    [Benchmark(OperationsPerInvoke = Samples, Baseline = true)]
    public int EncodeXor()
    {
        var bytes = 0;
        for (var i = 0; i < xor.Length; i++)
        {
            var length = XorChunk.Encode(times.AsSpan(i * XorSamples, XorSamples), values.AsSpan(i * XorSamples, XorSamples), buffer);
            xor[i] ??= buffer[..length];
            bytes += length;
        }

        return bytes;
    }

    [Benchmark(OperationsPerInvoke = Samples)]
    public int EncodeDense() => encoder.Encode(values, out _).Length;

    [Benchmark(OperationsPerInvoke = Samples)]
    public int DecodeXor()
    {
        samples.Clear();
        foreach (var chunk in xor)
        {
            XorChunk.Decode(chunk, TimeRange.All, samples);
        }

        return samples.Count;
    }

    [Benchmark(OperationsPerInvoke = Samples)]
    public int DecodeDense()
    {
        samples.Clear();
        samples.Reserve(Samples, out var timeColumn, out var valueColumn);
        times.CopyTo(timeColumn);
        DenseValues.Read(form, new DenseReader(dense), valueColumn[..Samples], 0, Samples);
        samples.Advance(Samples);
        return samples.Count;
    }
}
