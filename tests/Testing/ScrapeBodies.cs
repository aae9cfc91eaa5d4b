using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Testing;

/// <summary>What an agent sends: scrape after scrape of the same series, 15 seconds apart. Half of the series are constant, the rest counters and gauges.</summary>
public sealed class ScrapeBodies
{
    /// <summary>Time between scrapes.</summary>
    public const int IntervalMs = 15_000;

    private readonly Labels[] series;
    private readonly int seed;
    private readonly long firstTimeMs;

    /// <summary>Makes the generator over series in the order they are sent.</summary>
    public ScrapeBodies(Labels[] series, int seed = 1, long firstTimeMs = 1_700_000_000_000)
    {
        this.series = series;
        this.seed = seed;
        this.firstTimeMs = firstTimeMs;
    }

    /// <summary>The time of a scrape, with the jitter of a few milliseconds that real ones have.</summary>
    public long TimeOf(int scrape) => firstTimeMs + ((long)scrape * IntervalMs) + new Random(unchecked((seed * 31) + scrape)).Next(4);

    /// <summary>The value of a series at a scrape. The same arguments give the same value, and counters never fall.</summary>
    public double ValueOf(int seriesNumber, int scrape)
    {
        var random = new Random(unchecked((seed * 397) + seriesNumber));
        var level = random.Next(1, 1000);
        return random.Next(4) switch
        {
            0 or 1 => level,
            2 => (double)level * (scrape + 1),
            _ => Math.Round((level * 1000.0) + (level * 100 * Math.Sin((scrape + level) / 7.0)), 2),
        };
    }

    /// <summary>Encodes one scrape of a run of series as a write request, uncompressed.</summary>
    public byte[] Request(int firstSeries, int count, int scrape)
    {
        using var writer = new WriteRequestWriter();
        var time = TimeOf(scrape);
        for (var i = firstSeries; i < firstSeries + count; i++)
        {
            writer.AddSeries(series[i], [time], [ValueOf(i, scrape)]);
        }

        return writer.Written.ToArray();
    }

    /// <summary>As <see cref="Request"/>, compressed as it goes over the wire.</summary>
    public byte[] Body(int firstSeries, int count, int scrape)
    {
        var request = Request(firstSeries, count, scrape);
        var body = new byte[SnappyEncoder.MaxEncodedLength(request.Length)];
        Array.Resize(ref body, SnappyEncoder.Encode(request, body));
        return body;
    }
}
