using BenchmarkDotNet.Attributes;
using Metrics.Model;
using Metrics.Storage;
using Metrics.Testing;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Micro.Storage;

/// <summary>The head under a scrape loop over 100,000 Kubernetes-like series, and reading all of them back. Figures are per sample, or per series.</summary>
[MemoryDiagnoser]
public class HeadBenchmarks
{
    private const int SeriesCount = 100_000;
    private const int ScrapesBefore = 40;
    private readonly Labels[] labels = new KubernetesSeries().Take(SeriesCount);
    private readonly uint[] references = new uint[SeriesCount];
    private readonly SampleBuffer samples = new();
    private readonly Matcher[] all = [new(MatchType.Regex, "__name__", ".+")];
    private Head head = null!;
    private long time;

    [GlobalSetup]
    public void Setup()
    {
        head = new Head(new HeadOptions());
        for (var i = 0; i < SeriesCount; i++)
        {
            references[i] = head.GetOrCreate(labels[i].Encoded, labels[i].Hash, out _);
        }

        for (var scrape = 0; scrape < ScrapesBefore; scrape++)
        {
            AppendScrape();
        }
    }

    [GlobalCleanup]
    public void Cleanup() => head.Dispose();

    [Benchmark(OperationsPerInvoke = SeriesCount)]
    public void AppendScrape()
    {
        time += 15_000;
        for (var i = 0; i < references.Length; i++)
        {
            head.Append(references[i], time, (i & 1) == 0 ? 1 : time * 0.001 * (i % 7));
        }
    }

    [Benchmark(OperationsPerInvoke = SeriesCount)]
    public int Select()
    {
        using var set = head.OpenView()!.Select(all, TimeRange.All);
        return set.Count;
    }

    /// <summary>Per series of the head, decoding the last five minutes.</summary>
    [Benchmark(OperationsPerInvoke = SeriesCount)]
    public int SelectAndDecode()
    {
        using var set = head.OpenView()!.Select(all, new TimeRange(time - 300_000, time));
        var read = 0;
        for (var i = 0; i < set.Count; i++)
        {
            samples.Clear();
            set.Read(i, samples);
            read += samples.Count;
        }

        return read;
    }
}
