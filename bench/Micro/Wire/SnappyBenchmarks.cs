using BenchmarkDotNet.Attributes;
using Metrics.Testing;
using Metrics.Wire;

namespace Metrics.Micro;

/// <summary>Our block codec beside IronSnappy's on bodies of scrapes: one series, and 2,000 as agents send.</summary>
[MemoryDiagnoser]
public class SnappyBenchmarks
{
    private byte[] request = [];
    private byte[] body = [];
    private byte[] output = [];

    [Params(1, 2000)]
    public int Series { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var scrapes = new ScrapeBodies(new KubernetesSeries().Take(Series));
        request = scrapes.Request(0, Series, 1);
        body = scrapes.Body(0, Series, 1);
        output = new byte[SnappyEncoder.MaxEncodedLength(request.Length)];
    }

    [Benchmark]
    public int Decode() => SnappyDecoder.Decode(body, output);

    [Benchmark]
    public int DecodeIronSnappy() => IronSnappy.Snappy.Decode(body).Length;

    [Benchmark]
    public int Encode() => SnappyEncoder.Encode(request, output);

    [Benchmark]
    public int EncodeIronSnappy() => IronSnappy.Snappy.Encode(request).Length;
}
