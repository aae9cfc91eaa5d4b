using System.Runtime.CompilerServices;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>Where the reader of a write request puts series: into the batches of one tenant or, with a router, of the tenant that each series names. One request's; not thread-safe.</summary>
/// <remarks>For each series <see cref="BeginSeries(ReadOnlySpan{byte})"/>, then its samples. A series that a router gives no place to is dropped, and the router is told of its samples.</remarks>
internal sealed class WriteSink
{
    private readonly IMetricMetadata metadata;
    private readonly ISeriesRouter? router;
    private readonly int maxMetadata;
    private BatchPartitioner<RemoteWriteLabels>? current;

    /// <summary>All to one tenant.</summary>
    /// <param name="partitioner">Its batches.</param>
    /// <param name="metadata">Its metadata.</param>
    /// <param name="maxMetadata">The most characters of each text of metadata; 0 for no limit here.</param>
    public WriteSink(BatchPartitioner<RemoteWriteLabels> partitioner, IMetricMetadata metadata, int maxMetadata)
    {
        this.maxMetadata = maxMetadata;
        current = partitioner;
        this.metadata = metadata;
    }

    /// <summary>Each to its own.</summary>
    /// <param name="router">Says where.</param>
    /// <param name="metadata">Where metadata goes that comes with no series.</param>
    /// <param name="maxMetadata">The most characters of each text of metadata; 0 for no limit here.</param>
    public WriteSink(ISeriesRouter router, IMetricMetadata metadata, int maxMetadata)
    {
        this.maxMetadata = maxMetadata;
        this.router = router;
        this.metadata = metadata;
    }

    /// <summary>True when the rest of the request need not be read; see <see cref="BatchPartitioner{TFormat}.IsShut"/>.</summary>
    public bool IsShut => router is null && current!.IsShut;

    /// <summary>Starts a series; see <see cref="BatchPartitioner{TFormat}.BeginSeries(ReadOnlySpan{byte})"/>.</summary>
    public void BeginSeries(ReadOnlySpan<byte> rawLabels) => BeginSeries(rawLabels, Announce(rawLabels));

    /// <summary>Says which series comes next but one; see <see cref="BatchPartitioner{TFormat}.Announce"/>.</summary>
    public UInt128 Announce(ReadOnlySpan<byte> rawLabels) => router is null ? current!.Announce(rawLabels) : default;

    /// <summary>Starts a series that was announced.</summary>
    public void BeginSeries(ReadOnlySpan<byte> rawLabels, UInt128 fingerprint)
    {
        if (router is null)
        {
            current!.BeginSeries(rawLabels, fingerprint);
        }
        else
        {
            current = router.BeginSeries(rawLabels);
        }
    }

    /// <summary>Adds a sample to the series begun last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(long timeMs, double value)
    {
        if (router is null || IsPlaced())
        {
            current!.Add(timeMs, value);
        }
    }

    /// <summary>Adds a native histogram to the series begun last; it must not change until the request is written.</summary>
    public void Add(long timeMs, FloatHistogram histogram)
    {
        if (router is null || IsPlaced())
        {
            current!.Add(timeMs, histogram);
        }
    }

    /// <summary>Adds an exemplar to the series begun last.</summary>
    public void AddExemplar(long timeMs, double value, Labels labels)
    {
        if (router is null || current is not null)
        {
            current!.AddExemplar(timeMs, value, labels);
        }
    }

    /// <summary>Counts samples that the reader refuses.</summary>
    public void Reject(RejectReason reason, int count, string example)
    {
        if (router is null)
        {
            current!.Reject(reason, count, example);
        }
        else
        {
            router.Reject(reason, count, example);
        }
    }

    /// <summary>Notes what the request says of the family of the series that follow.</summary>
    public void Describe(string family, MetricMetadata about)
    {
        if (!Fits(family, ref about))
        {
            return;
        }

        if (router is null)
        {
            metadata.Put(family, about);
        }
        else
        {
            router.Describe(family, about);
        }
    }

    /// <summary>Notes what the request says of a family apart from any series.</summary>
    public void DescribeAlone(string family, MetricMetadata about)
    {
        if (Fits(family, ref about))
        {
            metadata.Put(family, about);
        }
    }

    /// <summary>Cuts a help text that is too long; false when another text is.</summary>
    private bool Fits(string family, ref MetricMetadata about)
    {
        if (maxMetadata == 0 || Math.Max(family.Length, Math.Max(about.Help.Length, about.Unit.Length)) <= maxMetadata)
        {
            return true;
        }

        if (family.Length > maxMetadata || about.Unit.Length > maxMetadata)
        {
            Reject(RejectReason.MetadataTooLong, 1, $"family: {family}, unit: {about.Unit}");
            return false;
        }

        about = about with { Help = about.Help[..(char.IsHighSurrogate(about.Help[maxMetadata - 1]) ? maxMetadata - 1 : maxMetadata)] };
        return true;
    }

    private bool IsPlaced()
    {
        router!.Count(current is not null);
        return current is not null;
    }
}

/// <summary>Says into whose batches each series of a request goes.</summary>
internal interface ISeriesRouter
{
    /// <summary>Starts a series there; null when it has no place.</summary>
    BatchPartitioner<RemoteWriteLabels>? BeginSeries(ReadOnlySpan<byte> rawLabels);

    /// <summary>A sample of the series begun last comes.</summary>
    void Count(bool isPlaced);

    /// <summary>Samples are refused by the reader.</summary>
    void Reject(RejectReason reason, int count, string example);

    /// <summary>Notes what is said of the family of the series that follow.</summary>
    void Describe(string family, MetricMetadata about);
}
