using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>What one write request has asked for so far, held against the limits: a small body may stand for much.</summary>
internal sealed class RequestLoad(RemoteWriteOptions options)
{
    /// <summary>A bucket's difference may come as one byte, and is eight in memory and in the log, whose records have a limit.</summary>
    private const long MaxBucketBytes = 64 * 1024 * 1024;

    /// <summary>OpenMetrics's bound for the names and values of an exemplar's labels together.</summary>
    private const int MaxExemplarCharacters = 128;

    private long samples;
    private long bucketBytes;
    private long labelBytes;

    /// <summary>Samples, histograms and exemplars so far.</summary>
    public long Samples => samples;

    /// <summary>Counts samples.</summary>
    /// <exception cref="WriteRefusal">Too many.</exception>
    public void AddSamples(int count)
    {
        ProcessorTurn.Checkpoint();
        samples += count;
        if (samples > options.MaxSamples)
        {
            throw new WriteRefusal(StatusCodes.Status413PayloadTooLarge, $"too many samples in one request: limit remote_write.max_samples of {options.MaxSamples}");
        }
    }

    /// <summary>Refuses what is to come when it would be too much, before memory is taken for it; it is counted when it comes.</summary>
    /// <exception cref="WriteRefusal">Too many.</exception>
    public void Foresee(int count)
    {
        AddSamples(count);
        samples -= count;
    }

    /// <summary>Counts bytes of labels that the body names by number.</summary>
    /// <exception cref="WriteRefusal">Too many.</exception>
    public void AddLabels(int bytes)
    {
        labelBytes += bytes;
        if (labelBytes > options.MaxDecompressed.Bytes)
        {
            throw WriteRefusal.TooLarge("the labels of one request, written out,", labelBytes, "max_decompressed", options.MaxDecompressed);
        }
    }

    /// <summary>Adds a native histogram to the series at hand, or counts it as refused.</summary>
    /// <exception cref="WriteRefusal">The request has too many buckets.</exception>
    public void AddHistogram(HistogramSample sample, WriteSink sink)
    {
        if (sample.FindDefect() is { } defect)
        {
            sink.Reject(RejectReason.InvalidHistogram, 1, $"{defect}; timestamp: {sample.TimestampMs}");
            return;
        }

        AddHistogram(sample.TimestampMs, sample.ToFloatHistogram(), sink);
    }

    /// <summary>Adds a sound native histogram to the series at hand.</summary>
    /// <exception cref="WriteRefusal">The request has too many buckets.</exception>
    public void AddHistogram(long timeMs, FloatHistogram histogram, WriteSink sink)
    {
        bucketBytes += sizeof(double) * (long)(histogram.PositiveBuckets.Length + histogram.NegativeBuckets.Length + histogram.CustomValues.Length);
        if (bucketBytes > MaxBucketBytes)
        {
            throw new WriteRefusal(StatusCodes.Status413PayloadTooLarge, $"too many buckets in the native histograms of one request: limit {MaxBucketBytes / sizeof(double)}");
        }

        sink.Add(timeMs, histogram);
    }

    /// <summary>Adds an exemplar to the series at hand; one whose labels are too long is dropped, as OpenMetrics says they may not be.</summary>
    /// <exception cref="WriteRefusal">The request has too many.</exception>
    public void AddExemplar(long timeMs, double value, LabelsBuilder labels, int characters, WriteSink sink)
    {
        AddSamples(1);
        if (characters <= MaxExemplarCharacters)
        {
            sink.AddExemplar(timeMs, value, labels.ToLabels());
        }
    }
}
