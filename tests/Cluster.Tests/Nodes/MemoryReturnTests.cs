namespace Metrics.Cluster.Tests.Nodes;

/// <summary>When a process gives memory back: once, after most of what it held is gone, and never for the usual ups and downs.</summary>
public sealed class MemoryReturnTests
{
    private const long MiB = 1024 * 1024;

    [Theory]
    [InlineData("100 100 100 100", 0)]
    [InlineData("100 80 60 60 60 60 100 60 60 60", 0)] // A head that is cut.
    [InlineData("100 80 60 40 20 20 20", 1)] // Two looks after the last fall.
    [InlineData("100 80 60 40 30 20 10", 0)] // It still falls.
    [InlineData("100 10 10 10 10 10 10 10", 1)]
    [InlineData("100 10 10 10 60 10 10 10 10", 2)]
    [InlineData("20 5 5 5 5", 0)] // Not worth it.
    [InlineData("0 0 0 0", 0)]
    public void ItIsDoneOnceWhenMostIsGoneAndNothingMoreGoes(string looks, int times)
    {
        var time = new SteppedTime();
        var done = 0;
        var memory = new MemoryReturn(time, () => done++);
        foreach (var look in looks.Split(' '))
        {
            time.Now += TimeSpan.FromSeconds(5);
            memory.ReturnWhenDue(long.Parse(look) * MiB);
        }

        Assert.Equal(times, done);
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(50, 1)] // It is in use again, and the collector has work.
    public void OnceMoreMinutesLater(int then, int times)
    {
        var time = new SteppedTime();
        var done = 0;
        var memory = new MemoryReturn(time, () => done++);
        for (var look = 0; look < 100; look++)
        {
            time.Now += TimeSpan.FromSeconds(5);
            memory.ReturnWhenDue((look == 0 ? 100 : look < 20 ? 1 : then) * MiB);
        }

        Assert.Equal(times, done);
    }

    private sealed class SteppedTime : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
