using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Copies a range of a head into a block, while the head goes on.</summary>
public static class HeadCut
{
    /// <summary>Writes every series that has samples in the range, in label order, whole chunks as they are. Gives the number of series.</summary>
    public static int Write(HeadView view, TimeRange range, BlockWriter writer, CancellationToken cancellation)
    {
        using var series = view.Snapshots([], range);
        series.Items.Sort((a, b) => CompareLabels(view.Head, a.Reference, b.Reference));
        using var samples = new SampleBuffer();
        var encoder = new ChunkRun(view.Head.Options.ChunkSamples);
        var written = 0;
        foreach (ref readonly var one in series.Items)
        {
            cancellation.ThrowIfCancellationRequested();
            written += WriteSeries(view.Head, one, range, writer, samples, encoder) ? 1 : 0;
        }

        return written;
    }

    private static bool WriteSeries(Head head, in SeriesSnapshot series, TimeRange range, BlockWriter writer, SampleBuffer samples, ChunkRun encoder)
    {
        // Fast path: chunks do not cross block boundaries, so most lie in the range as a whole.
        var whole = !series.HasOutOfOrder;
        var covered = 0;
        Span<SealedChunk> chunks = series.SealedCount <= SeriesSnapshot.UsualChunks ? stackalloc SealedChunk[series.SealedCount] : new SealedChunk[series.SealedCount];
        head.ChunksOf(series, chunks);
        foreach (var chunk in chunks)
        {
            if (range.Overlaps(chunk.Range))
            {
                covered++;
                whole &= chunk.MinMs >= range.MinMs && chunk.MaxMs <= range.MaxMs;
            }
        }

        samples.Clear();
        if (whole)
        {
            if (series.OpenCount > 0 && series.OpenMinMs <= range.MaxMs)
            {
                head.DecodeOpen(series, range, samples);
            }
        }
        else
        {
            HeadSeriesSet.Read(head, series, range, samples);
        }

        if ((!whole || covered == 0) && samples.Count == 0)
        {
            return false;
        }

        writer.BeginSeries(head.LabelsOf(series.Reference).Encoded);
        if (whole)
        {
            foreach (var chunk in chunks)
            {
                if (range.Overlaps(chunk.Range))
                {
                    writer.AddChunk(chunk.Encoding, chunk.MinMs, chunk.MaxMs, chunk.Data);
                }
            }
        }

        encoder.Write(samples, writer);
        return true;
    }

    private static int CompareLabels(Head head, uint left, uint right)
    {
        var l = head.SymbolsOf(left);
        var r = head.SymbolsOf(right);
        for (var i = 0; i < l.Count && i < r.Count; i++)
        {
            if (l.Names[i] != r.Names[i])
            {
                return head.Symbols[l.Names[i]].SequenceCompareTo(head.Symbols[r.Names[i]]);
            }

            if (l.Values[i] != r.Values[i])
            {
                return head.Symbols[l.Values[i]].SequenceCompareTo(head.Symbols[r.Values[i]]);
            }
        }

        return l.Count.CompareTo(r.Count);
    }
}
