using Metrics.Cluster;
using Metrics.Gateway.Tenancy;
using Metrics.Model;
using Metrics.PromQL;
using Xunit;

namespace Metrics.Gateway.Tests.Tenancy;

/// <summary>The label that tells tenants apart may sort anywhere among a series' own.</summary>
public sealed class UnionLabelTests
{
    [Fact]
    public async Task NoSeriesIsLostWhereverTheLabelSorts()
    {
        await using var app = await RealGateway.StartAsync((o, _) =>
        {
            o.Tenancy.UnionLabel = "tenant";
            o.Storage.ShardsPerTenant = 1;
        });
        string[] series = ["__name__=m", "__name__=m,job=x", "__name__=m,job=x,pod=1", "__name__=m,job=x,zone=1", "__name__=m,zone=1", "__name__=n"];
        foreach (var tenant in new[] { "a", "b" })
        {
            Assert.Equal(204, (await app.WriteAsync(tenant, series)).Code);
        }

        var text = (await app.GetAsync("/federate?match[]={__name__!=\"\"}", ("X-Scope-OrgID", "a|b"))).Body;
        Assert.Equal(12, text.Split('\n').Count(l => l.Contains("tenant=\"", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("bb")]
    [InlineData("cc")]
    [InlineData("ee")]
    [InlineData("z")]
    public void SeriesOfAShardStayInOrder(string name)
    {
        // All sets of six labels, so every kind of beginning there is.
        var added = new AddedLabel(name, "t");
        string[] names = ["a", "b", "c", "d", "e", "f"];
        var source = Enumerable.Range(1, 63).Select(bits => Labels.Of([.. names.Where((_, i) => (bits & (1 << i)) != 0).Select(static n => (n, "1"))])).Order().Select(static (labels, i) => (labels, i)).ToList();
        var want = source.OrderBy(s => added.AddTo(s.labels, new LabelsBuilder())).Select(s => $"{added.AddTo(s.labels, new LabelsBuilder())} {s.i}");
        Assert.Equal(want, Ordered(added, source));
    }

    private static List<string> Ordered(AddedLabel added, List<(Labels Labels, int I)> source)
    {
        using var order = new LabelledOrder(added);
        using var samples = new SampleBuffer();
        var got = new List<string>();
        foreach (var (labels, i) in source)
        {
            samples.Clear();
            samples.Add(1, i);
            while (order.TryTake(labels, out var waited))
            {
                got.Add(Text(waited));
            }

            if (order.TryPass(new RawSeries(labels, samples), out var passed))
            {
                got.Add(Text(passed));
            }
        }

        while (order.TryTake(null, out var last))
        {
            got.Add(Text(last));
        }

        return got;

        static string Text(RawSeries series) => $"{series.Labels} {series.Samples.Values[0]}";
    }
}
