using System.Text;
using Metrics.Gateway.Otlp;
using Metrics.Wire;
using Xunit;

namespace Metrics.Gateway.Tests.Otlp;

public class OtlpNameTests
{
    // Name, unit, kind (c is a monotonic sum, n another sum), then what the four strategies make of it.
    [Theory]
    [InlineData("http.server.duration", "s", "h", "http_server_duration_seconds", "http.server.duration_seconds", "http_server_duration", "http.server.duration")]
    [InlineData("requests", "1", "c", "requests_total", "requests_total", "requests", "requests")]
    [InlineData("requests_total", "1", "c", "requests_total", "requests_total", "requests_total", "requests_total")]
    [InlineData("total.requests", "", "c", "requests_total", "total.requests_total", "total_requests", "total.requests")]
    [InlineData("memory.usage", "By", "g", "memory_usage_bytes", "memory.usage_bytes", "memory_usage", "memory.usage")]
    [InlineData("memory.bytes.usage", "By", "g", "memory_bytes_usage", "memory.bytes.usage_bytes", "memory_bytes_usage", "memory.bytes.usage")]
    [InlineData("cpu.utilization", "1", "g", "cpu_utilization_ratio", "cpu.utilization_ratio", "cpu_utilization", "cpu.utilization")]
    [InlineData("cpu.ratio", "1", "g", "cpu_ratio", "cpu_ratio", "cpu_ratio", "cpu.ratio")]
    [InlineData("queue", "1", "n", "queue", "queue", "queue", "queue")]
    [InlineData("net.io", "By/s", "c", "net_io_bytes_per_second_total", "net.io_bytes_per_second_total", "net_io", "net.io")]
    [InlineData("net.io", "{packet}/s", "g", "net_io_per_second", "net.io_per_second", "net_io", "net.io")]
    [InlineData("errors", "{error}", "c", "errors_total", "errors_total", "errors", "errors")]
    [InlineData("a__b--c", "", "g", "a_b_c", "a__b--c", "a__b_c", "a__b--c")]
    [InlineData("1st", "", "g", "_1st", "1st", "_1st", "1st")]
    [InlineData("job:up:sum", "", "g", "job:up:sum", "job:up:sum", "job:up:sum", "job:up:sum")]
    [InlineData("temp\u00e9rature", "Cel", "g", "temp_rature_celsius", "temp\u00e9rature_celsius", "temp_rature", "temp\u00e9rature")]
    [InlineData("speed", "m/s", "g", "speed_meters_per_second", "speed_meters_per_second", "speed", "speed")]
    [InlineData("odd", "foo bar", "g", "odd_foo_bar", "odd_foo bar", "odd", "odd")]
    [InlineData("odd", "__x__", "g", "odd_x_", "odd___x__", "odd", "odd")]
    [InlineData("odd", "x_/__", "g", "odd_x_", "odd_x__per___", "odd", "odd")]
    public void AMetricIsNamedAsPrometheusDoes(string name, string unit, string kind, string full, string utf8, string plain, string raw)
    {
        var (metricKind, isMonotonic) = kind switch { "c" => (OtlpMetricKind.Sum, true), "n" => (OtlpMetricKind.Sum, false), "h" => (OtlpMetricKind.Histogram, false), _ => (OtlpMetricKind.Gauge, false) };
        Assert.Equal(full, OtlpMetricName.Of(name, unit, metricKind, isMonotonic, escape: true, addSuffixes: true));
        Assert.Equal(utf8, OtlpMetricName.Of(name, unit, metricKind, isMonotonic, escape: false, addSuffixes: true));
        Assert.Equal(plain, OtlpMetricName.Of(name, unit, metricKind, isMonotonic, escape: true, addSuffixes: false));
        Assert.Equal(raw, OtlpMetricName.Of(name, unit, metricKind, isMonotonic, escape: false, addSuffixes: false));
    }

    [Theory]
    [InlineData("")]
    [InlineData("...")]
    [InlineData("\u00e9")]
    public void AMetricWithoutAUsableNameHasNone(string name) => Assert.Null(OtlpMetricName.Of(name, "", OtlpMetricKind.Gauge, false, escape: true, addSuffixes: true));

    // Key, then: as by default, without the prefix, with runs collapsed, unescaped.
    [Theory]
    [InlineData("http.method", "http_method", "http_method", "http_method", "http.method")]
    [InlineData("plain_1", "plain_1", "plain_1", "plain_1", "plain_1")]
    [InlineData("1st", "key_1st", "key_1st", "key_1st", "1st")]
    [InlineData("_a", "key_a", "_a", "key_a", "_a")]
    [InlineData(".a", "key_a", "_a", "key_a", ".a")]
    [InlineData("__a", "__a", "__a", "key_a", "__a")]
    [InlineData("__a__", "__a__", "__a__", "__a__", "__a__")]
    [InlineData("__a..b__", "__a__b__", "__a__b__", "__a_b__", "__a..b__")]
    [InlineData("a..b", "a__b", "a__b", "a_b", "a..b")]
    [InlineData("a\u00e9\u20acb", "a__b", "a__b", "a_b", "a\u00e9\u20acb")]
    [InlineData("a:b", "a_b", "a_b", "a_b", "a:b")]
    [InlineData("", "", "", "", "")]
    [InlineData("__", "", "", "", "")]
    [InlineData("..", "", "", "", "..")]
    public void ALabelIsNamedAsPrometheusDoes(string key, string byDefault, string unprefixed, string collapsed, string unescaped)
    {
        Assert.Equal(byDefault, Named(new OtlpLabelName(true, true, true), key));
        Assert.Equal(unprefixed, Named(new OtlpLabelName(true, false, true), key));
        Assert.Equal(collapsed, Named(new OtlpLabelName(true, true, false), key));
        Assert.Equal(unescaped, Named(new OtlpLabelName(false, true, true), key));
    }

    [Theory]
    [InlineData("By/s", "bytes_per_second")]
    [InlineData("1", "")]
    [InlineData("{thing}", "")]
    [InlineData("%", "percent")]
    [InlineData("/min", "per_min")]
    [InlineData("KiBy", "kibibytes")]
    public void AUnitIsSaidInWords(string unit, string want) => Assert.Equal(want, OtlpUnits.ForMetadata(unit, escape: true));

    private static string Named(OtlpLabelName names, string key)
    {
        var bytes = Encoding.UTF8.GetBytes(key);
        var name = new byte[OtlpLabelName.MaxBytes(bytes.Length)];
        return Encoding.UTF8.GetString(name, 0, names.Write(bytes, name));
    }
}
