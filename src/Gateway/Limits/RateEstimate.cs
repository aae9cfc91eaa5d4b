namespace Metrics.Gateway.Limits;

/// <summary>Events a second over about the last minute: an exponentially weighted average. Thread-safe.</summary>
internal sealed class RateEstimate(TimeProvider time)
{
    private const double WindowSeconds = 60;

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
                return Decayed(time.GetTimestamp()) / WindowSeconds;
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

    private double Decayed(long now) => weight * Math.Exp(-time.GetElapsedTime(lastAdded, now).TotalSeconds / WindowSeconds);
}
