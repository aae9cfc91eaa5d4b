namespace Metrics.Gateway.Limits;

/// <summary>A rate with a burst: tokens come at the rate up to the burst, and what is taken must be there. Thread-safe.</summary>
/// <remarks>A token bucket as in ITU-T I.371; rate and burst come with each taking, so that a change of limits holds at once.</remarks>
internal sealed class TokenBucket(TimeProvider time)
{
    private readonly Lock sync = new();
    private double tokens = double.PositiveInfinity;
    private long lastTaken = time.GetTimestamp();

    /// <summary>Takes tokens; false, taking none, when there are not so many. Then <paramref name="wait"/> says after what time there will be, or the whole bucket when more is asked than it holds.</summary>
    public bool TryTake(long count, double ratePerSecond, long burst, out TimeSpan wait)
    {
        lock (sync)
        {
            var now = time.GetTimestamp();
            tokens = Math.Min(burst, tokens + (time.GetElapsedTime(lastTaken, now).TotalSeconds * ratePerSecond));
            lastTaken = now;
            if (count <= tokens)
            {
                tokens -= count;
                wait = TimeSpan.Zero;
                return true;
            }

            wait = TimeSpan.FromSeconds(Math.Min(3600, (Math.Min(count, burst) - tokens) / ratePerSecond));
            return false;
        }
    }
}
