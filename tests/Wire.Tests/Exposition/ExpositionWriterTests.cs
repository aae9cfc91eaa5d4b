using System.Buffers;
using System.Text;
using Xunit;

namespace Metrics.Wire.Tests;

public class ExpositionWriterTests
{
    [Fact]
    public void Families_are_written_with_help_type_and_escapes()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new ExpositionWriter(output);
        writer.BeginFamily("requests_total", "Requests\nanswered \\ \"all\".", MetricType.Counter);
        writer.Sample(1_000_000, ("code", "200"), ("path", "a\"b\\c\n"));
        writer.BeginFamily("temperature", "Now.", MetricType.Gauge);
        writer.Sample(-1.5);
        writer.BeginFamily("latency_seconds", "How long.", MetricType.Histogram);
        writer.Histogram([0.1, 1], [3, 2, 1], 4.5, ("op", "read"));
        Assert.Equal(
            """
            # HELP requests_total Requests\nanswered \\ "all".
            # TYPE requests_total counter
            requests_total{code="200",path="a\"b\\c\n"} 1e+06
            # HELP temperature Now.
            # TYPE temperature gauge
            temperature -1.5
            # HELP latency_seconds How long.
            # TYPE latency_seconds histogram
            latency_seconds_bucket{op="read",le="0.1"} 3
            latency_seconds_bucket{op="read",le="1"} 5
            latency_seconds_bucket{op="read",le="+Inf"} 6
            latency_seconds_sum{op="read"} 4.5
            latency_seconds_count{op="read"} 6

            """,
            Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Generated_series_have_the_size_they_promise()
    {
        var series = new Metrics.Testing.KubernetesSeries().Take(3450);
        Assert.InRange(series.Average(s => s.Count), 10.4, 10.8);
        Assert.InRange(series.Average(s => s.Sum(l => l.Key.Length + l.Value.Length)), 235, 275);
        Assert.Equal(345, series.Select(s => s["__name__"]).Distinct().Count());
        Assert.Equal(3450, series.Distinct().Count());
    }
}
