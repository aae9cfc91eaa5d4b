using Metrics.Gateway.Configuration;
using Xunit;

namespace Metrics.Gateway.Tests;

public class OperatorPagesTests
{
    [Fact]
    public async Task TheConfigurationIsShownWholeByDefaultsOrByWhatDiffers()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Query.MaxConcurrency = 7);
        var whole = (await app.GetAsync("/config")).Body;
        Assert.Contains("query:\n", whole);
        Assert.Contains("  max_concurrency: 7\n", whole);
        Assert.Contains("  retention: ", whole);
        var differing = (await app.GetAsync("/config?mode=diff")).Body;
        Assert.Contains("query:\n  max_concurrency: 7\n", differing);
        Assert.DoesNotContain("retention:", differing);
        Assert.DoesNotContain("max_concurrency: 7", (await app.GetAsync("/config?mode=defaults")).Body);
        Assert.Equal(400, (await app.GetAsync("/config?mode=all")).Code);

        // What differs is a configuration file that says the same.
        var read = new GatewayOptions();
        ConfigurationFile.Apply("diff", differing, read);
        Assert.Equal(7, read.Query.MaxConcurrency);
    }

    [Fact]
    public async Task RuntimeConfigurationIsWhatTheOverridesFileSaysNow()
    {
        string? file = null;
        await using var app = await RealGateway.StartAsync((o, folder) => file = IngestLimitsTests.Overrides(o, folder, "overrides:\n  b: {}\n  a: {ingestion_rate: 10, retention: 1d}\n"));
        Assert.Equal("overrides:\n  a:\n    ingestion_rate: 10\n  b: {}\n", (await app.GetAsync("/runtime_config?mode=diff")).Body);
        var whole = (await app.GetAsync("/runtime_config")).Body;
        Assert.Contains("    ingestion_burst_size: 200000\n", whole);
        File.WriteAllText(file!, "");
        await app.ReloadAsync();
        Assert.Equal("overrides: {}\n", (await app.GetAsync("/runtime_config?mode=diff")).Body);
    }

    [Fact]
    public async Task ServicesAndMembersAreListed()
    {
        await using var app = await RealGateway.StartAsync();
        var services = (await app.GetAsync("/services")).Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2]);
        Assert.Equal([["http", "Running"], ["storage", "Running"], ["queries", "Running"], ["rules", "Running"], ["configuration", "Running"]], services);
        Assert.Contains("single process", (await app.GetAsync("/memberlist")).Body);
    }

    [Fact]
    public async Task TheyAreForAdministrators()
    {
        await using var app = await AuthenticationTests.StartAsync();
        foreach (var path in new[] { "/config", "/runtime_config", "/services", "/memberlist", "/ingester/shutdown", "/ingester/prepare-shutdown" })
        {
            Assert.Equal(401, (await app.GetAsync(path)).Code);
            Assert.Equal(403, (await app.GetAsync(path, ("Authorization", "Bearer token-of-reader"))).Code);
        }

        Assert.Equal(200, (await app.GetAsync("/config", ("Authorization", "Bearer token-of-admin"))).Code);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/-/quit", null, ("Authorization", "Bearer token-of-writer"))).Code);
    }

    [Fact]
    public async Task WithoutTheLifecycleApiNobodyEndsTheProcess()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Http.EnableLifecycle = false);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/-/quit", null)).Code);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/ingester/shutdown", null)).Code);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/ingester/prepare-shutdown", null)).Code);
        Assert.Equal(200, (await app.GetAsync("/ready")).Code);
    }

    [Fact]
    public async Task PreparationIsSetShownAndTakenBack()
    {
        await using var app = await RealGateway.StartAsync();
        foreach (var path in new[] { "/ingester/prepare-shutdown", "/ingester/prepare-downscale" })
        {
            Assert.Equal("unset\n", (await app.GetAsync(path)).Body);
            Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, path, null)).Code);
            Assert.Equal("set\n", (await app.GetAsync(path)).Body);
            Assert.Equal(204, (await app.SendAsync(HttpMethod.Delete, path, null)).Code);
        }

        Assert.Equal("unset\n", (await app.GetAsync("/ingester/prepare-shutdown")).Body);
        Assert.Equal(200, (await app.GetAsync("/ready")).Code);
    }
}
