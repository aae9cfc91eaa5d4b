using System.Net;
using System.Text.Json;
using Metrics.EndToEnd.Programs;
using Metrics.Model;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>The real promtool asks us as it asks a Prometheus.</summary>
[Trait("Category", "Peers")]
public sealed class PromtoolQueryTests : IAsyncLifetime
{
    private readonly TemporaryDirectory directory = new();
    private readonly long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds() / 60 * 60;
    private MetricsServer ours = null!;

    private string Address => ours.Address.ToString().TrimEnd('/');

    public async Task InitializeAsync()
    {
        ours = await MetricsServer.StartAsync(directory.Sub("ours"));
        Labels[] series = [RemoteWriteBody.Labels(("__name__", "m"), ("host", "a")), RemoteWriteBody.Labels(("__name__", "m"), ("host", "b"))];
        for (var step = 0; step <= 10; step++)
        {
            using var answer = await ours.WriteAsync(RemoteWriteBody.OneSampleEach(series, (now - 600 + (60 * step)) * 1000, step));
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }
    }

    public Task DisposeAsync()
    {
        ours.Dispose();
        directory.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public void AnInstantQueryIsAnswered()
    {
        Assert.Equal($"{{}} => 14 @[{now - 180}]\n", Promtool.Run("query", "instant", $"--time={now - 180}", Address, "sum(m)"));
        using var json = JsonDocument.Parse(Promtool.Run("query", "instant", "--format=json", $"--time={now}", Address, "m{host=\"b\"}"));
        Assert.Equal("10", json.RootElement[0].GetProperty("value")[1].GetString());
    }

    [Fact]
    public void ARangeQueryIsAnswered() => Assert.Equal(
        $"m{{host=\"a\"}} =>\n8 @[{now - 120}]\n9 @[{now - 60}]\n10 @[{now}]\n",
        Promtool.Run("query", "range", $"--start={now - 120}", $"--end={now}", "--step=1m", Address, "m{host=\"a\"}"));

    [Fact]
    public void SeriesAndLabelsAreAnswered()
    {
        Assert.Equal(
            ["{__name__=\"m\", host=\"a\"}", "{__name__=\"m\", host=\"b\"}"],
            Promtool.Run("query", "series", "--match=m", $"--start={now - 600}", $"--end={now}", Address).Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        Assert.Equal("a\nb\n", Promtool.Run("query", "labels", $"--start={now - 600}", $"--end={now}", Address, "host"));
    }

    [Fact]
    public async Task AMistakeIsToldAsPrometheusTellsIt()
    {
        var (code, output) = await RunningProgram.RunAsync("promtool", "query", "instant", Address, "sum(");
        Assert.Equal(1, code);
        Assert.Contains("bad_data: invalid parameter \"query\": 1:5: parse error: unclosed left parenthesis", output);
    }

    [Fact]
    public async Task OurMetricsAreGoodMetrics()
    {
        // Through the linter of names and help.
        var file = directory.Sub("metrics.txt");
        await File.WriteAllTextAsync(file, await ours.Http.GetStringAsync(new Uri(ours.Address, "metrics")));
        var (code, output) = await RunningProgram.RunAsync("sh", "-c", $"promtool check metrics < {file}");
        Assert.True(code == 0, output);
    }
}
