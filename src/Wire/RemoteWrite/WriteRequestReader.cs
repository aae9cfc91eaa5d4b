namespace Metrics.Wire;

/// <summary>What <see cref="WriteRequestReader.Read"/> stopped at.</summary>
public enum WriteRequestPart : byte
{
    /// <summary>Nothing: the request is read to its end.</summary>
    End,

    /// <summary>A series; see <see cref="WriteRequestReader.GetSeries"/>.</summary>
    Series,

    /// <summary>A metadata entry; see <see cref="WriteRequestReader.GetMetadata"/>.</summary>
    Metadata,
}

/// <summary>Walks a decompressed <c>prometheus.WriteRequest</c> (remote write 1.0) without an object per series or sample.</summary>
/// <remarks>
/// <code>
/// WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
/// </code>
/// Everything it hands out borrows the body. Unknown fields are skipped. The number of series and samples is the caller's to limit.
/// All methods throw <see cref="WireFormatException"/> when the body is malformed; series handed out before stay valid.
/// <code>
/// var reader = new WriteRequestReader(body);
/// for (var part = reader.Read(); part != WriteRequestPart.End; part = reader.Read()) { ... }
/// </code>
/// </remarks>
public ref struct WriteRequestReader(ReadOnlySpan<byte> body)
{
    private ProtobufReader fields = new(body);
    private ReadOnlySpan<byte> part;
    private int partOffset;

    /// <summary>Steps to the next series or metadata entry.</summary>
    public WriteRequestPart Read()
    {
        while (fields.TryReadTag(out var field, out var type))
        {
            if (field is not (1 or 3))
            {
                fields.Skip(type);
                continue;
            }

            fields.Expect(WireType.Bytes, type, field);
            part = fields.ReadBytes();
            partOffset = fields.Offset - part.Length;
            return field == 1 ? WriteRequestPart.Series : WriteRequestPart.Metadata;
        }

        part = default;
        return WriteRequestPart.End;
    }

    /// <summary>The series at the cursor. Its fields are located now, so call it once.</summary>
    public readonly TimeSeriesView GetSeries() => new(part, partOffset);

    /// <summary>The metadata entry at the cursor. Decoded now, so call it once.</summary>
    public readonly MetadataView GetMetadata() => MetadataView.Read(part, partOffset);
}
