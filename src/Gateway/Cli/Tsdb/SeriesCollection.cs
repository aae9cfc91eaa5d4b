using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>Samples of many series in memory, on their way into a block: 16 bytes a float, more for a histogram. Not thread-safe.</summary>
internal sealed class SeriesCollection
{
    // As Prometheus and we cut chunks.
    private const int SamplesPerChunk = 120;

    private readonly SortedDictionary<Labels, SampleBuffer> collected = [];
    private readonly ChunkRun chunks = new(SamplesPerChunk);

    /// <summary>Series so far.</summary>
    public int Count => collected.Count;

    /// <summary>Samples so far.</summary>
    public long SampleCount => collected.Values.Sum(static s => (long)s.Count);

    /// <summary>The samples of a series, to append to with ascending times.</summary>
    public SampleBuffer Of(Labels labels)
    {
        if (!collected.TryGetValue(labels, out var series))
        {
            collected.Add(labels, series = new SampleBuffer());
        }

        return series;
    }

    /// <summary>Adds samples, ascending in time, to those that the series has; of two at one instant the first that came stays.</summary>
    public void Merge(Labels labels, SampleBuffer samples)
    {
        var known = Of(labels);
        if (known.Count == 0 || known.Times[^1] < samples.Times[0])
        {
            known.AddAllFrom(samples);
            return;
        }

        var merged = new SampleBuffer(known.Count + samples.Count);
        SampleBuffer.Merge(known, samples, merged);
        known.Dispose();
        collected[labels] = merged;
    }

    /// <summary>Writes a block of what was collected into a directory, and forgets it; null when that is nothing.</summary>
    /// <exception cref="IOException">The directory can't be written.</exception>
    public BlockMeta? Write(string directory, Ulid ulid)
    {
        if (collected.Count == 0)
        {
            return null;
        }

        using var writer = new BlockWriter(directory, ulid);
        foreach (var (labels, samples) in collected)
        {
            writer.BeginSeries(labels.Encoded);
            chunks.Write(samples, writer);
            samples.Dispose();
        }

        collected.Clear();
        return writer.Finish();
    }
}
