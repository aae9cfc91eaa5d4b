using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Looks symbols up in a verified symbol table; one offset in <see cref="IndexFormat.Sampling"/> is kept. Thread-safe.</summary>
internal sealed class SymbolReader
{
    private readonly IBlockFile file;
    private readonly long bodyOffset;
    private readonly int bodyLength;
    private readonly int[] samples;

    public SymbolReader(IBlockFile file, long offset)
    {
        this.file = file;
        bodyOffset = offset + 4;
        var body = IndexSections.Read(file, offset, "the symbol table");
        bodyLength = body.Length;
        file.Keep(bodyOffset, bodyLength);
        var reader = new SpanReader(body, file.Name, bodyOffset);
        var count = reader.UInt32();
        if (count > (uint)reader.Remaining)
        {
            BlockDamage.Throw(file.Name, bodyOffset, $"{count} symbols cannot lie in {reader.Remaining} bytes");
        }

        Count = (int)count;
        samples = new int[(Count + IndexFormat.Sampling - 1) / IndexFormat.Sampling];
        ReadOnlySpan<byte> last = default;
        for (var i = 0; i < Count; i++)
        {
            if (i % IndexFormat.Sampling == 0)
            {
                samples[i / IndexFormat.Sampling] = (int)(reader.Offset - bodyOffset);
            }

            var at = reader.Offset;
            var text = reader.Text();
            if (i > 0 && text.SequenceCompareTo(last) <= 0)
            {
                BlockDamage.Throw(file.Name, at, "symbols are not sorted");
            }

            last = text;
        }
    }

    /// <summary>How many symbols there are.</summary>
    public int Count { get; }

    /// <summary>The text of a symbol; the caller has checked the number.</summary>
    public ReadOnlySpan<byte> this[int number]
    {
        get
        {
            // The table was verified and walked when it was opened, so this walk cannot leave it.
            var start = samples[number / IndexFormat.Sampling];
            var rest = file.Range(bodyOffset + start, bodyLength - start);
            for (var skip = number % IndexFormat.Sampling; skip > 0; skip--)
            {
                var length = (int)Varint.Read(ref rest);
                rest = rest[length..];
            }

            var size = (int)Varint.Read(ref rest);
            return rest[..size];
        }
    }
}
