using System.Net;
using Metrics.EndToEnd.Programs;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>What the overrides file gives one tenant holds for it, and for nobody else.</summary>
public sealed class TenantOverridesTests
{
    [Fact]
    public async Task OneTenantTakesOlderSamplesThanTheOther()
    {
        using var directory = new TemporaryDirectory();
        var file = directory.Sub("overrides.yml");
        await File.WriteAllTextAsync(file, "overrides:\n  patient: {out_of_order_window: 3h}\n  strict: {out_of_order_window: 0}\n");
        using var server = await MetricsServer.StartAsync(directory.Sub("data"), "--tenancy-overrides-file", file);
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        foreach (var (tenant, age, want) in new[]
        {
            ("patient", 0, HttpStatusCode.NoContent), ("patient", 170, HttpStatusCode.NoContent), ("patient", 190, HttpStatusCode.BadRequest),
            ("strict", 0, HttpStatusCode.NoContent), ("strict", 1, HttpStatusCode.BadRequest),
            ("usual", 0, HttpStatusCode.NoContent), ("usual", 20, HttpStatusCode.NoContent), ("usual", 170, HttpStatusCode.BadRequest),
        })
        {
            using var answer = await server.WriteAsync(RemoteWriteBody.OneSampleEach([RemoteWriteBody.Labels(("__name__", "m"))], now - (age * 60_000L), age), tenant);
            Assert.True(want == answer.StatusCode, $"{tenant}, {age} minutes late: {answer.StatusCode}");
        }
    }
}
