using Metrics.Cluster;
using Metrics.PromQL;

namespace Metrics.Gateway.QueryApi;

/// <summary>Counts what a request has read as raw series, and ends it when that is more than its tenant's limits allow. Not thread-safe.</summary>
/// <param name="bounds">The limits.</param>
internal sealed class ReadCount(QueryBounds bounds)
{
    // As the bounds count what is in no chunk.
    private const int SampleBytes = 16;

    /// <summary>Series so far.</summary>
    public long Series { get; private set; }

    /// <summary>The chunks of which they were read.</summary>
    public long Chunks { get; private set; }

    /// <summary>The bytes of those, or of samples in no chunk.</summary>
    public long Bytes { get; private set; }

    /// <summary>Samples so far.</summary>
    public long Samples { get; private set; }

    /// <summary>Counts a series. Of one that another process has read, the chunks are not known, and its samples count as in memory.</summary>
    /// <exception cref="QueryException">It is one too many, or its chunks or bytes are.</exception>
    public void Add(RawSeries read)
    {
        Samples += read.Samples.Count;
        Bytes += read.Samples.EncodedBytes > 0 ? read.Samples.EncodedBytes : (long)read.Samples.Count * SampleBytes;
        Chunks += read.Samples.EncodedChunks;
        bounds.CheckSeries(++Series);
        bounds.CheckChunks(Chunks);
        bounds.CheckBytes(Bytes);
    }
}
