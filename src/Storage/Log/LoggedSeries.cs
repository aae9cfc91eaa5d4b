using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The new series of a log record; each text of their labels is in it once, since series that come together share most. See FORMAT.md. Reused; not thread-safe.</summary>
internal sealed class LoggedSeries
{
    /// <summary>The most bytes that the labels of one series may take when read: damaged or hostile bytes can name a long text again and again.</summary>
    private const int MaxSeriesBytes = 64 * 1024 * 1024;

    private byte[] texts = new byte[1024];
    private byte[] series = new byte[1024];
    private (int Offset, int Length)[] places = new (int, int)[64];
    private int[] table = new int[128]; // A text's number plus one, by hash.
    private int textBytes;
    private int textCount;
    private int seriesBytes;

    /// <summary>Series held.</summary>
    public int Count { get; private set; }

    /// <summary>The most bytes that <see cref="Write"/> takes.</summary>
    public int MaxBytes => (2 * Varint.MaxBytes) + textBytes + seriesBytes;

    public void Clear()
    {
        if (Count > 0)
        {
            Array.Clear(table);
            (Count, textBytes, textCount, seriesBytes) = (0, 0, 0, 0);
        }
    }

    public void Add(uint reference, ReadOnlySpan<byte> canonicalLabels)
    {
        var labels = 0;
        foreach (var label in new LabelEnumerator(canonicalLabels))
        {
            _ = label;
            labels++;
        }

        Reserve(ref series, seriesBytes + ((2 + (2 * labels)) * Varint.MaxBytes));
        Put((ulong)reference);
        Put((ulong)labels);
        foreach (var label in new LabelEnumerator(canonicalLabels))
        {
            Put((ulong)NumberOf(label.Name));
            Put((ulong)NumberOf(label.Value));
        }

        Count++;
    }

    /// <summary>Writes what is held; gives the number of bytes.</summary>
    public int Write(Span<byte> to)
    {
        var at = Varint.Write(to, (ulong)textCount);
        texts.AsSpan(0, textBytes).CopyTo(to[at..]);
        at += textBytes;
        at += Varint.Write(to[at..], (ulong)Count);
        series.AsSpan(0, seriesBytes).CopyTo(to[at..]);
        return at + seriesBytes;
    }

    /// <summary>Shows the series to a visitor and steps past them.</summary>
    /// <exception cref="FormatException">The bytes end inside one, or name what is not there.</exception>
    public static void Read<TVisitor>(ref ReadOnlySpan<byte> rest, TVisitor visitor)
        where TVisitor : IWriteRecordVisitor
    {
        var all = rest;
        var number = TakeCount(ref rest);
        var dictionary = number == 0 ? [] : new (int Offset, int Length)[number];
        foreach (ref var place in dictionary.AsSpan())
        {
            var offset = all.Length - rest.Length;
            var length = checked((int)Varint.Read(ref rest));
            rest = rest[length..];
            place = (offset, all.Length - rest.Length - offset); // Its length before it, as in canonical labels.
        }

        var labels = new byte[256];
        for (var left = TakeCount(ref rest); left > 0; left--)
        {
            var reference = checked((uint)Varint.Read(ref rest));
            var at = 0;
            for (var labelTexts = 2 * TakeCount(ref rest); labelTexts > 0; labelTexts--)
            {
                var text = Varint.Read(ref rest);
                if (text >= (ulong)dictionary.Length)
                {
                    throw new FormatException($"a series names text {text} of {dictionary.Length}");
                }

                var (offset, length) = dictionary[text];
                if (length > MaxSeriesBytes - at)
                {
                    throw new FormatException($"the labels of a series take more than {MaxSeriesBytes} bytes");
                }

                Reserve(ref labels, at + length);
                all.Slice(offset, length).CopyTo(labels.AsSpan(at));
                at += length;
            }

            visitor.Series(reference, labels.AsSpan(0, at));
        }
    }

    private static int TakeCount(ref ReadOnlySpan<byte> rest)
    {
        var count = Varint.Read(ref rest);
        return count <= (ulong)rest.Length ? (int)count : throw new FormatException($"a count of {count} exceeds what {rest.Length} bytes can hold");
    }

    private static void Reserve(ref byte[] bytes, int need)
    {
        if (need > bytes.Length)
        {
            Array.Resize(ref bytes, Math.Max(need, bytes.Length * 2));
        }
    }

    private void Put(ulong value) => seriesBytes += Varint.Write(series.AsSpan(seriesBytes), value);

    private int NumberOf(ReadOnlySpan<byte> text)
    {
        var at = SeriesHash.Of(text);
        for (; ; at++)
        {
            var held = table[at & (ulong)(table.Length - 1)];
            if (held == 0)
            {
                break;
            }

            var (offset, length) = places[held - 1];
            if (text.SequenceEqual(texts.AsSpan(offset, length)))
            {
                return held - 1;
            }
        }

        if (textCount == places.Length)
        {
            Grow();
            at = FreeSlot(text);
        }

        Reserve(ref texts, textBytes + Varint.MaxBytes + text.Length);
        textBytes += Varint.Write(texts.AsSpan(textBytes), (ulong)text.Length);
        text.CopyTo(texts.AsSpan(textBytes));
        places[textCount] = (textBytes, text.Length);
        textBytes += text.Length;
        table[at & (ulong)(table.Length - 1)] = ++textCount;
        return textCount - 1;
    }

    private void Grow()
    {
        Array.Resize(ref places, places.Length * 2);
        table = new int[table.Length * 2];
        for (var i = 0; i < textCount; i++)
        {
            var slot = FreeSlot(texts.AsSpan(places[i].Offset, places[i].Length));
            table[slot & (ulong)(table.Length - 1)] = i + 1;
        }
    }

    private ulong FreeSlot(ReadOnlySpan<byte> text)
    {
        var at = SeriesHash.Of(text);
        while (table[at & (ulong)(table.Length - 1)] != 0)
        {
            at++;
        }

        return at;
    }
}
