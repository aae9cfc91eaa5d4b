using Metrics.Model;

namespace Metrics.Storage;

/// <summary>How native histograms are appended.</summary>
public sealed unsafe partial class Head
{
    /// <summary>Appends a native histogram to a known series; it is kept, and so must not change. Writer only.</summary>
    public AppendOutcome Append(uint reference, long timeMs, FloatHistogram histogram)
    {
        ref var series = ref At(reference);
        var samples = HistogramsToFill(reference);
        var newestMs = Math.Max(samples.LastTimeMs, series.HasNewest ? series.Appender.LastTimeMs : long.MinValue);
        if (timeMs <= newestMs && samples.TryFind(timeMs, out var found))
        {
            return found!.HasSameDataAs(histogram) || (StaleMarker.Is(found.Sum) && StaleMarker.Is(histogram.Sum)) ? AlreadyThere(timeMs)
                : WindowReaches(timeMs) || timeMs == newestMs ? AppendOutcome.DuplicateTimestamp
                : AppendOutcome.OutOfOrder;
        }

        if (timeMs <= newestMs || timeMs < minValidMs)
        {
            if (!WindowReaches(timeMs))
            {
                return Options.OutOfOrderWindowMs > 0 || timeMs < minValidMs ? AppendOutcome.TooOld : AppendOutcome.OutOfOrder;
            }

            samples.AddLate(timeMs, histogram);
        }
        else
        {
            var before = samples.ChunkCount;
            var bytesBefore = spill is null ? 0 : samples.BytesInMemory;
            samples.Append(timeMs, histogram, NextBoundary(timeMs));
            Volatile.Write(ref chunkCount, chunkCount + samples.ChunkCount - before);
            NoteUnspilledHistograms(reference, samples, bytesBefore);
        }

        if (!series.HasOutOfOrder)
        {
            BeginChange(ref series);
            series.HasOutOfOrder = true;
            EndChange(ref series);
        }

        Covers(timeMs);
        return AppendOutcome.Added;
    }
}
