namespace Metrics.Gateway.Limits;

/// <summary>Events a second over about the last minute, or another time: an exponentially weighted average. Thread-safe.</summary>
internal sealed class RateEstimate(TimeProvider time, double windowSeconds = 60)
{
    private readonly Lock sync = new();
    private double weight;
    private long lastAdded = time.GetTimestamp();

    /// <summary>Events a second now.</summary>
    public double PerSecond
    {
        get
        {
            lock (sync)
            {
                return Decayed(time.GetTimestamp()) / windowSeconds;
            }
        }
    }

    /// <summary>Counts events.</summary>
    public void Add(long count)
    {
        lock (sync)
        {
            var now = time.GetTimestamp();
            weight = Decayed(now) + count;
            lastAdded = now;
        }
    }

    private double Decayed(long now) => weight * Math.Exp(-time.GetElapsedTime(lastAdded, now).TotalSeconds / windowSeconds);
}
