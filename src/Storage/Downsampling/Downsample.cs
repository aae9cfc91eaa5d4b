using System.Security.Cryptography;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Makes a block of aggregates from a block of raw samples.</summary>
public static class Downsample
{
    /// <summary>Windows in a chunk: 120, as samples in a raw one.</summary>
    private const int ChunkWindows = 120;

    /// <summary>Writes the block of a resolution; null when nothing is left of the input.</summary>
    /// <param name="input">A raw block, and what is deleted of it.</param>
    /// <param name="resolutionMs">Milliseconds a window: 300,000 or 3,600,000, as Thanos has them.</param>
    /// <param name="request">Where and how.</param>
    /// <param name="cancellation">Ends it; nothing is left behind.</param>
    /// <exception cref="InvalidDataException">The input is damaged.</exception>
    public static BlockMeta? Run(MergeInput input, long resolutionMs, MergeRequest request, CancellationToken cancellation)
    {
        var meta = input.Block.Meta;
        var description = request.Description with
        {
            MinTimeMs = meta.MinTime,
            MaxTimeMs = meta.MaxTime,
            Thanos = (request.Description.Thanos ?? new ThanosMeta()) with { Downsample = new ThanosDownsample(resolutionMs) },
            Metrics = new MetricsMeta { HashRange = meta.Metrics?.HashRange ?? request.HashRange.ToString() },
            Compaction = meta.Compaction with { Sources = meta.Compaction.Sources ?? [meta.Ulid.ToString()], Parents = [new BlockParent(meta.Ulid.ToString(), meta.MinTime, meta.MaxTime)] },
        };
        using var writer = new BlockWriter(request.Directory, Ulid.New(request.Time, new Random(RandomNumberGenerator.GetInt32(int.MaxValue))), description);
        using var cursor = new BlockCursor(input, 0);
        using var series = new SeriesSamples();
        var floats = new FloatWindows(resolutionMs);
        var histograms = new HistogramWindows(resolutionMs);
        while (cursor.MoveNext())
        {
            cancellation.ThrowIfCancellationRequested();
            if (request.HashRange.Bits > 0 && !request.HashRange.Contains(SeriesHash.Of(cursor.Entry.CanonicalLabels)))
            {
                continue;
            }

            var samples = series.Read(cursor);
            writer.BeginSeries(cursor.Entry.CanonicalLabels);
            for (var at = 0; at < samples.Count;)
            {
                at = samples.HasHistograms && samples.Histograms[at] is not null
                    ? WriteHistograms(samples, at, histograms, resolutionMs, writer)
                    : WriteFloats(samples, at, floats, resolutionMs, writer);
            }
        }

        return writer.SeriesCount > 0 ? writer.Finish() : null;
    }

    private static int WriteFloats(SampleBuffer samples, int from, FloatWindows windows, long resolutionMs, BlockWriter to)
    {
        var end = EndOfRun(samples, from, resolutionMs, wantHistograms: false);
        var chunk = windows.Reduce(samples.Times[from..end], samples.Values[from..end], out var first, out var last);
        to.AddChunk(AggregateChunk.Encoding, first, last, chunk);
        return end;
    }

    private static int WriteHistograms(SampleBuffer samples, int from, HistogramWindows windows, long resolutionMs, BlockWriter to)
    {
        var end = EndOfRun(samples, from, resolutionMs, wantHistograms: true);
        var run = new List<(long, FloatHistogram)>(end - from);
        for (var i = from; i < end; i++)
        {
            run.Add((samples.Times[i], samples.Histograms[i]!));
        }

        foreach (var (first, last, chunk) in windows.Reduce(run))
        {
            to.AddChunk(AggregateChunk.Encoding, first, last, chunk);
        }

        return end;
    }

    /// <summary>The end of the samples of one kind that lie in as many windows as a chunk takes, cut where a window ends.</summary>
    private static int EndOfRun(SampleBuffer samples, int from, long resolutionMs, bool wantHistograms)
    {
        var lastMs = DownsampleWindow.End(samples.Times[from], resolutionMs, long.MaxValue) + ((ChunkWindows - 1) * resolutionMs);
        var end = from;
        while (end < samples.Count && samples.Times[end] <= lastMs && (samples.HasHistograms && samples.Histograms[end] is not null) == wantHistograms)
        {
            end++;
        }

        return end;
    }
}
