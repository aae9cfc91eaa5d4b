using System.Text;

namespace Metrics.Cluster.Tests;

public sealed class MetadataBookTests
{
    [Fact]
    public void WhatTwoProcessesHeardIsInOneBookOnceTheyExchangedLines()
    {
        var (a, b) = (new MetadataBook(), new MetadataBook());
        Assert.True(a.TryPut("up", new MetricMetadata("gauge", "1 if \"up\"\nor so", ""), out _));
        Assert.True(b.TryPut("up", new MetricMetadata("gauge", "another", "s"), out _));
        Assert.True(b.TryPut("down", new MetricMetadata("counter", "", ""), out _));

        var lines = b.ToLines();
        Assert.Equal(lines.Length, a.PutLines(lines));
        a.PutLines(lines);

        Assert.Equal(["down", "up"], a.Get(null, 0, 0).Keys);
        Assert.Equal(2, a.Get("up", 0, 0)["up"].Count);
        Assert.Equal(3, a.Version);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("{", 0)]
    [InlineData("{}\n", 0)]
    [InlineData("null\n", 0)]
    [InlineData("{\"family\":\"a\",\"type\":\"gauge\",\"help\":\"\",\"unit\":\"\"}\n{\"family\":", 50)]
    public void LinesAreReadUpToWhatIsNone(string lines, int read)
    {
        var book = new MetadataBook();

        Assert.Equal(read, book.PutLines(Encoding.UTF8.GetBytes(lines)));
        Assert.Equal(read > 0 ? 1 : 0, book.Version);
    }
}
