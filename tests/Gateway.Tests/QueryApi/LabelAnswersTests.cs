using Metrics.Gateway.Configuration;
using Xunit;

namespace Metrics.Gateway.Tests.QueryApi;

/// <summary>Label requests over blocks that are asked one by one and remember what they said, against a server whose blocks don't.</summary>
public sealed class LabelAnswersTests
{
    private const int Seed = 4711;
    private const int Requests = 120;
    private const long HourMs = 3_600_000;
    private static readonly string[] Selectors = ["", "&match[]=a", "&match[]={job=~\"x|y\"}", "&match[]=b{job!=\"x\"}&match[]=c", "&match[]={__name__=~\"a|c\",job=\"y\"}"];
    private static readonly string[] Paths = ["labels?", "label/job/values?", "label/__name__/values?", "label/only_2/values?", "series?match[]={__name__=~\".%2B\"}"];

    [Fact]
    public async Task LabelsAreTheSameWhetherBlocksRememberThemOrNot()
    {
        var random = new Random(Seed);
        await using var kept = await RealGateway.StartAsync(static (o, _) => o.Storage.OutOfOrderWindow = TimeSpan.FromDays(2));
        await using var plain = await RealGateway.StartAsync(static (o, _) => (o.Storage.OutOfOrderWindow, o.Archive.LabelCacheSize) = (TimeSpan.FromDays(2), default(ByteSize)));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        var first = (now / (2 * HourMs) * 2 * HourMs) - (24 * HourMs);
        for (var round = 0; round < 6; round++)
        {
            // Blocks of two hours, each with labels of its own.
            foreach (var server in new[] { kept, plain })
            {
                foreach (var tenant in new[] { "t", "u" })
                {
                    string[] series = [.. Enumerable.Range(0, 8).Select(i => $"__name__={"abc"[i % 3]},job={"xyz"[(i + round) % 3]}{tenant},only_{round}={i}")];
                    Assert.Equal(204, (await server.WriteAsync([("X-Scope-OrgID", tenant)], first + (round * 4 * HourMs), series)).Code);
                }

                Assert.Equal(204, (await server.GetAsync("/ingester/flush?wait=true")).Code);
            }

            // Blocks are the same, but not all of them is seen any more.
            var gone = (first / 1000) + random.Next(0, 40_000);
            var deletion = $"/api/v1/admin/tsdb/delete_series?match[]={{job=\"{"xyz"[random.Next(3)]}t\"}}&start={gone}&end={gone + random.Next(3600, 40_000)}";
            foreach (var server in new[] { kept, plain })
            {
                Assert.Equal(204, (await server.SendAsync(HttpMethod.Post, deletion, null, ("X-Scope-OrgID", "t"))).Code);
            }

            for (var i = 0; i < Requests / 6; i++)
            {
                var start = (first / 1000) + random.Next(-7200, 80_000);
                var path = $"/api/v1/{Paths[random.Next(Paths.Length)]}{Selectors[random.Next(Selectors.Length)]}&start={start}&end={start + random.Next(60, random.Next(4) == 0 ? 600 : 100_000)}{(random.Next(4) == 0 ? "&limit=3" : "")}";
                var tenant = ("X-Scope-OrgID", "tu"[random.Next(2)].ToString());
                Assert.Equal((await plain.GetAsync(path, tenant)).Body, (await kept.GetAsync(path, tenant)).Body);
            }
        }

        Assert.Contains("only_0", (await kept.GetAsync("/api/v1/labels", ("X-Scope-OrgID", "t"))).Body);
    }
}
