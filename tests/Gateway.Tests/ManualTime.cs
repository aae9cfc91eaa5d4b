namespace Metrics.Gateway.Tests;

/// <summary>A clock that stands still until it is moved; timers of others run on real time.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long ticks = System.GetUtcNow().UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref ticks);

    public override DateTimeOffset GetUtcNow() => new(Volatile.Read(ref ticks), TimeSpan.Zero);

    public void Move(TimeSpan by) => Interlocked.Add(ref ticks, by.Ticks);
}
