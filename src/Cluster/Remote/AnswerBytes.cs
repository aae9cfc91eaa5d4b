using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What a shard answers, as bytes.</summary>
internal static class AnswerBytes
{
    /// <summary>Writes the answer to an append.</summary>
    public static void Write(ByteWriter to, AppendResult result)
    {
        to.Byte((byte)result.Status);
        to.UInt64(result.Incarnation);
        to.UVarint((ulong)result.NewSeriesRefs.Length);
        foreach (var reference in result.NewSeriesRefs)
        {
            to.UVarint(reference);
        }

        to.UVarint((ulong)result.Accepted);
        to.UVarint((ulong)result.AcceptedHistograms);
        to.UVarint((ulong)result.AcceptedExemplars);
        to.UVarint((ulong)result.Rejections.Count);
        foreach (var rejection in result.Rejections)
        {
            to.Byte((byte)rejection.Reason);
            to.UVarint((ulong)rejection.Count);
            to.Text(rejection.Example);
        }
    }

    /// <summary>Reads the answer to an append.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static AppendResult AppendResult(ref ByteReader from)
    {
        var status = (AppendStatus)from.Byte();
        var incarnation = from.UInt64();
        var references = new uint[from.Count(1)];
        for (var i = 0; i < references.Length; i++)
        {
            references[i] = from.UVarint() is <= uint.MaxValue and var reference ? (uint)reference : throw new InvalidDataException("a reference exceeds 32 bits");
        }

        var (accepted, histograms, exemplars) = (from.UpTo(int.MaxValue), from.UpTo(int.MaxValue), from.UpTo(int.MaxValue));
        var rejections = new Rejection[from.Count(3)];
        for (var i = 0; i < rejections.Length; i++)
        {
            rejections[i] = new Rejection((RejectReason)from.Byte(), from.UpTo(int.MaxValue), from.Text());
        }

        return Enum.IsDefined(status)
            ? new AppendResult
            {
                Status = status,
                Incarnation = incarnation,
                NewSeriesRefs = references,
                Accepted = accepted,
                AcceptedHistograms = histograms,
                AcceptedExemplars = exemplars,
                Rejections = rejections,
            }
            : throw new InvalidDataException($"an append of status {(byte)status}");
    }

    /// <summary>Writes exemplars.</summary>
    public static void Write(ByteWriter to, IReadOnlyList<SeriesExemplars> found)
    {
        to.UVarint((ulong)found.Count);
        foreach (var series in found)
        {
            to.Block(series.Series.Encoded);
            to.UVarint((ulong)series.Exemplars.Count);
            foreach (var exemplar in series.Exemplars)
            {
                to.UVarint(exemplar.Series);
                to.SVarint(exemplar.TimeMs);
                to.Double(exemplar.Value);
                to.Block(exemplar.Labels.Encoded);
            }
        }
    }

    /// <summary>Reads exemplars.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static SeriesExemplars[] Exemplars(ref ByteReader from)
    {
        var found = new SeriesExemplars[from.Count(2)];
        for (var i = 0; i < found.Length; i++)
        {
            var series = from.Labels();
            var exemplars = new Exemplar[from.Count(2 + sizeof(double))];
            for (var e = 0; e < exemplars.Length; e++)
            {
                exemplars[e] = new Exemplar(from.UVarint() is <= uint.MaxValue and var reference ? (uint)reference : throw new InvalidDataException("a reference exceeds 32 bits"), from.SVarint(), from.Double(), from.Labels());
            }

            found[i] = new SeriesExemplars(series, exemplars);
        }

        return found;
    }

    /// <summary>Writes counts.</summary>
    public static void Write(ByteWriter to, in ShardStatistics counts)
    {
        foreach (var count in (ReadOnlySpan<long>)
            [counts.HeadSeries, counts.HeadChunks, counts.SamplesAppended, counts.LogBytes, counts.Blocks, counts.HeadMinTimeMs, counts.HeadMaxTimeMs, counts.PendingBlocks, counts.DamagedBlocks, counts.HeadMemoryBytes, counts.HeadDiskBytes, counts.BlockBytes, counts.NewestSampleMs])
        {
            to.SVarint(count);
        }
    }

    /// <summary>Reads counts.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static ShardStatistics Statistics(ref ByteReader from) => new(
        from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint(), from.Int32(), from.SVarint(), from.SVarint(), from.Int32(), from.Int32(), from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint());

    /// <summary>Writes what a shard says about its past.</summary>
    public static void Write(ByteWriter to, ShardHistory history)
    {
        to.UInt64(history.Incarnation);
        to.SVarint(history.Changes);
        to.SVarint(history.SettledBeforeMs);
    }

    /// <summary>Reads what a shard says about its past.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static ShardHistory History(ref ByteReader from) => new(from.UInt64(), from.SVarint(), from.SVarint());
}
