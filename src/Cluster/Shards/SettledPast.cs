namespace Metrics.Cluster;

/// <summary>The line before which a shard's past is settled, and how often it was changed all the same. Written under the appender's lock, read by any.</summary>
/// <remarks>
/// The line runs behind the clock by the out-of-order window, at least ten minutes. A sample before it is counted, with a minute to spare, so that a clock set back by less does not let one slip.
/// Both are judged by the same clock, the shard's own: whoever keeps answers needs none.
/// </remarks>
internal sealed class SettledPast(TimeSpan outOfOrderWindow, TimeProvider time)
{
    private const long LeastMs = 10 * 60 * 1000;
    private const long SpareMs = 60 * 1000;

    private readonly long behindMs = Math.Max(LeastMs, (long)outOfOrderWindow.TotalMilliseconds) + SpareMs;
    private long changes;

    /// <summary>Samples older than this, Unix milliseconds, don't come without being counted.</summary>
    public long BeforeMs => NowMs - behindMs;

    /// <summary>How many batches brought such samples.</summary>
    public long Changes => Volatile.Read(ref changes);

    /// <summary>A batch was applied, its oldest new sample being so old; <see cref="long.MaxValue"/> when it brought none.</summary>
    public void OnAppended(long oldestMs)
    {
        if (oldestMs < NowMs - behindMs + SpareMs)
        {
            Interlocked.Increment(ref changes);
        }
    }

    private long NowMs => time.GetUtcNow().ToUnixTimeMilliseconds();
}
