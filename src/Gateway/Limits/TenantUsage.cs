using Metrics.Cluster;

namespace Metrics.Gateway.Limits;

/// <summary>What a tenant has asked of this process lately, and may ask now. Thread-safe.</summary>
internal sealed class TenantUsage(TimeProvider time)
{
    private long samples;
    private long refusedSamples;
    private long receivedBytes;
    private long writes;
    private long queries;
    private long queriedSamples;
    private TooFastWrite? lastTooFast;

    /// <summary>The samples it may write.</summary>
    public TokenBucket Samples { get; } = new(time);

    /// <summary>The write requests it may send.</summary>
    public TokenBucket Requests { get; } = new(time);

    /// <summary>The write that was refused last for its number of samples; null for none that tells anything about others.</summary>
    public TooFastWrite? LastTooFast
    {
        get => Volatile.Read(ref lastTooFast);
        set => Volatile.Write(ref lastTooFast, value);
    }

    /// <summary>Samples a second that it tries to write, refused or not, over some ten seconds: its share of a rate that is the cluster's goes by it.</summary>
    public RateEstimate Demand { get; } = new(time, windowSeconds: 10);

    /// <summary>Samples a second that came in through the API.</summary>
    public RateEstimate WriteRate { get; } = new(time);

    /// <summary>Samples stored since the start, those of rules not counted.</summary>
    public long StoredSamples => Volatile.Read(ref samples);

    /// <summary>Samples refused since the start.</summary>
    public long RefusedSamples => Volatile.Read(ref refusedSamples);

    /// <summary>Bytes of write requests since the start, as sent.</summary>
    public long ReceivedBytes => Volatile.Read(ref receivedBytes);

    /// <summary>Write requests answered since the start.</summary>
    public long Writes => Volatile.Read(ref writes);

    /// <summary>Queries since the start.</summary>
    public long Queries => Volatile.Read(ref queries);

    /// <summary>Samples that queries looked at since the start, those of rules too.</summary>
    public long QueriedSamples => Volatile.Read(ref queriedSamples);

    /// <summary>All of these.</summary>
    public TenantCounts Counts => new(WriteRate.PerSecond, StoredSamples, RefusedSamples, ReceivedBytes, Writes, Queries, QueriedSamples);

    /// <summary>A write was stored, save what was refused.</summary>
    public void OnWritten(long stored, long refused, long bytes)
    {
        Interlocked.Add(ref samples, stored);
        Interlocked.Add(ref refusedSamples, refused);
        Interlocked.Add(ref receivedBytes, bytes);
        Interlocked.Increment(ref writes);
        WriteRate.Add(stored);
    }

    /// <summary>A query was asked.</summary>
    public void OnQueried() => Interlocked.Increment(ref queries);

    /// <summary>A query was answered that looked at so many samples.</summary>
    public void OnAnswered(long samples) => Interlocked.Add(ref queriedSamples, samples);
}

/// <summary>A write that was refused because of its tenant's rate.</summary>
/// <param name="Bytes">Its size as sent; what is as large has as many samples, more or less.</param>
/// <param name="Samples">Its samples.</param>
/// <param name="Rate">The rate then.</param>
/// <param name="Burst">The burst then.</param>
/// <param name="Until">When there will be room for so many, if nothing else is written.</param>
internal sealed record TooFastWrite(long Bytes, long Samples, long Rate, long Burst, DateTimeOffset Until);
