using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What a tenant has asked of one process that takes requests, since that process started.</summary>
/// <param name="IngestionRate">Samples a second that it stores now.</param>
/// <param name="WrittenSamples">Samples stored, those of rules not counted.</param>
/// <param name="RefusedSamples">Samples refused.</param>
/// <param name="ReceivedBytes">Bytes of write requests as sent.</param>
/// <param name="Writes">Write requests answered.</param>
/// <param name="Queries">Queries.</param>
/// <param name="QueriedSamples">Samples that queries looked at.</param>
public readonly record struct TenantCounts(double IngestionRate, long WrittenSamples, long RefusedSamples, long ReceivedBytes, long Writes, long Queries, long QueriedSamples)
{
    /// <summary>The counts of two processes.</summary>
    public static TenantCounts operator +(TenantCounts a, TenantCounts b) => new(
        a.IngestionRate + b.IngestionRate, a.WrittenSamples + b.WrittenSamples, a.RefusedSamples + b.RefusedSamples, a.ReceivedBytes + b.ReceivedBytes, a.Writes + b.Writes, a.Queries + b.Queries, a.QueriedSamples + b.QueriedSamples);

    /// <summary>The bytes of counts as they cross between processes: how many, then each, the rate as the bits of its double and the others as they are, all as varints, in the order of the fields.</summary>
    public static ReadOnlyMemory<byte> ToBytes(IReadOnlyList<TenantCounts> counts)
    {
        var to = new ByteWriter(16 + (counts.Count * 32));
        to.UVarint((ulong)counts.Count);
        foreach (var of in counts)
        {
            to.SVarint(BitConverter.DoubleToInt64Bits(of.IngestionRate));
            to.SVarint(of.WrittenSamples);
            to.SVarint(of.RefusedSamples);
            to.SVarint(of.ReceivedBytes);
            to.SVarint(of.Writes);
            to.SVarint(of.Queries);
            to.SVarint(of.QueriedSamples);
        }

        return to.Written;
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The bytes are no counts.</exception>
    public static TenantCounts[] Read(ReadOnlySpan<byte> bytes)
    {
        var from = new ByteReader(bytes);
        var counts = new TenantCounts[from.Count(7)];
        for (var i = 0; i < counts.Length; i++)
        {
            counts[i] = new TenantCounts(BitConverter.Int64BitsToDouble(from.SVarint()), from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint(), from.SVarint());
        }

        from.End();
        return counts;
    }
}

/// <summary>Tells what tenants have asked of this process, in the order of their names as given.</summary>
public delegate IReadOnlyList<TenantCounts> TenantCounting(IReadOnlyList<TenantId> tenants);
