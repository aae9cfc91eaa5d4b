using System.Net;
using System.Text.Json;
using Metrics.Gateway.Relabelling;
using Metrics.Gateway.Tests.FrontEnd;
using Metrics.Model;
using Xunit;

namespace Metrics.Gateway.Tests.Relabelling;

/// <summary>Labels with too many values: further ones are replaced, exactly beyond the bound, whoever writes at the same time and whatever was stored before.</summary>
public sealed class LabelValueCapTests
{
    [Fact]
    public async Task ATenantHasAsManyValuesAsItMayAndTheOverflowWhoeverWritesAtOnce()
    {
        await using var app = await RealGateway.StartAsync((o, folder) => IngestLimitsTests.Overrides(o, folder, "overrides:\n  a:\n    max_values_per_label: 5\n"));
        var writes = Enumerable.Range(0, 8).Select(w => app.WriteAsync("a", [.. Enumerable.Range(0, 20).Select(i => $"__name__=m{i},w=w{w},v=v{(w * 20) + i}")]));
        await Task.WhenAll(writes);
        Assert.Equal(204, (await app.WriteAsync("b", [.. Enumerable.Range(0, 20).Select(i => $"__name__=m{i},v=v{i}")])).Code);

        var values = await ValuesAsync(app, "v", "a");
        Assert.Equal(6, values.Count);
        Assert.Equal(LabelValueCap.Overflow, values[0]);
        Assert.Equal(6, (await ValuesAsync(app, "w", "a")).Count);
        Assert.Equal(20, (await ValuesAsync(app, "__name__", "a")).Count);
        Assert.Equal(20, (await ValuesAsync(app, "v", "b")).Count);
        Assert.Matches("metrics_write_label_values_replaced_total\\{tenant=\"a\"\\} [1-9]", (await app.GetAsync("/metrics")).Body);

        // Those that are known go on.
        Assert.Equal(204, (await app.WriteAsync("a", $"__name__=other,v={values[1]}")).Code);
        Assert.Equal([values[1]], await ValuesAsync(app, "v", "a", "other"));
    }

    [Fact]
    public async Task WhatWasStoredBeforeCountsAndMakesRoomWhenItHasEnded()
    {
        await using var world = new StoredSeries();
        world.Time.Now = DateTimeOffset.UnixEpoch.AddDays(10);
        using var unbounded = await world.ServeAsync(static _ => { });
        foreach (var i in new[] { 1, 2 })
        {
            await WriteAsync(unbounded, world.Time.Now, $"__name__=m,v=old{i}");
        }

        using var bounded = await world.ServeAsync(static o => o.Limits.MaxValuesPerLabel = 2);
        await WriteAsync(bounded, world.Time.Now, "__name__=n,v=new");
        Assert.Equal([LabelValueCap.Overflow, "old1", "old2"], await ValuesAsync(bounded, world.Time.Now));

        // Hours later nobody writes the old ones any more, and they are in no head.
        world.Time.Now += TimeSpan.FromHours(6);
        foreach (var shard in (await world.Cluster.FindTenantAsync(TenantId.Parse("default"), CancellationToken.None))!.Shards)
        {
            await shard.FlushAsync(CancellationToken.None);
        }

        using var later = await world.ServeAsync(static o => o.Limits.MaxValuesPerLabel = 2);
        await WriteAsync(later, world.Time.Now, "__name__=n,v=newer");
        await WriteAsync(later, world.Time.Now, "__name__=n,v=newest");
        await WriteAsync(later, world.Time.Now, "__name__=n,v=toomany");
        Assert.Equal([LabelValueCap.Overflow, "newer", "newest"], await ValuesAsync(later, world.Time.Now));
    }

    [Fact]
    public async Task ValuesAreReadAgainAfterAWhileAndThoseThatCameMeanwhileStay()
    {
        await using var world = new StoredSeries();
        world.Time.Now = DateTimeOffset.UnixEpoch.AddDays(10);
        var tenant = await world.Cluster.OpenTenantAsync(TenantId.Parse("default"), CancellationToken.None);
        var time = new ManualTime();
        var cap = new LabelValueCap(2, time);
        await cap.ReadyAsync(tenant, CancellationToken.None);
        Assert.Equal(["a", "b", LabelValueCap.Overflow, "a"], new[] { "a", "b", "c", "a" }.Select(v => Capped(cap, v)));

        // Nothing of it was stored, so there is room again; but not before.
        time.Move(LabelValueCap.ReadEvery - TimeSpan.FromSeconds(1));
        await cap.ReadyAsync(tenant, CancellationToken.None);
        Assert.Equal(LabelValueCap.Overflow, Capped(cap, "c"));
        time.Move(TimeSpan.FromSeconds(1));
        await cap.ReadyAsync(tenant, CancellationToken.None);
        Assert.Equal(["c", "d", LabelValueCap.Overflow], new[] { "c", "d", "a" }.Select(v => Capped(cap, v)));
        Assert.Equal(3, cap.Replaced);
    }

    private static string Capped(LabelValueCap cap, string value)
    {
        var labels = new LabelsBuilder().Set("__name__", "m" + value).Set("v", value);
        cap.Apply(labels);
        Assert.Equal("m" + value, labels.ToLabels()["__name__"]);
        return labels.ToLabels()["v"];
    }

    private static async Task WriteAsync(HttpClient client, DateTimeOffset at, string series)
    {
        using var answer = await client.PostAsync(new Uri("/api/v1/write", UriKind.Relative), RealGateway.Body(WriteMessage.Of(WriteMessage.Series(series, (at.ToUnixTimeMilliseconds(), 1)))));
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    private static async Task<IReadOnlyList<string?>> ValuesAsync(HttpClient client, DateTimeOffset at)
    {
        var body = await client.GetStringAsync(new Uri($"/api/v1/label/v/values?start={at.ToUnixTimeSeconds() - 3600}&end={at.ToUnixTimeSeconds()}", UriKind.Relative));
        return [.. JsonDocument.Parse(body).RootElement.GetProperty("data").EnumerateArray().Select(v => v.GetString())];
    }

    private static async Task<IReadOnlyList<string?>> ValuesAsync(RealGateway app, string label, string tenant, string metric = "")
    {
        var body = (await app.GetAsync($"/api/v1/label/{label}/values" + (metric.Length == 0 ? "" : $"?match[]={metric}"), ("X-Scope-OrgID", tenant))).Body;
        return [.. JsonDocument.Parse(body).RootElement.GetProperty("data").EnumerateArray().Select(v => v.GetString())];
    }
}
