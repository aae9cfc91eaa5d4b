using System.Buffers;
using Metrics.Gateway.RemoteWrite;

namespace Metrics.Gateway.Otlp;

/// <summary>Where a label comes from; of two of one name the one with the smaller rank counts.</summary>
internal enum OtlpLabelRank : byte
{
    /// <summary>Said by the translation itself: job, instance, scope, type and unit. Of several the last counts.</summary>
    Own,

    /// <summary>An attribute of the data point. Several whose keys come to one name are joined by semicolons, in the order of their keys.</summary>
    Attribute,

    /// <summary>A promoted attribute of the resource. Of several the last counts.</summary>
    Promoted,
}

/// <summary>The labels of one data point while they are gathered: sorted once, then written out for each of its series. Reusable; not thread-safe.</summary>
/// <remarks>
/// Use: <see cref="Clear"/>, then adding in any order, <see cref="Settle"/>, then <see cref="WriteTo"/> for each series.
/// Labels without a value are none. Nothing is allocated once the buffers have grown.
/// </remarks>
internal sealed class OtlpLabelSet
{
    private Entry[] entries = new Entry[64];
    private byte[] text = new byte[4096];
    private int textLength;

    /// <summary>The number of labels; after <see cref="Settle"/> those that count.</summary>
    public int Count { get; private set; }

    /// <summary>The bytes its text buffer takes.</summary>
    public int CapacityBytes => text.Length;

    /// <summary>The bytes of names and values gathered.</summary>
    public int TextBytes => textLength;

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Count = 0;
        textLength = 0;
    }

    /// <summary>Adds a label under the name that the key comes to; false when it comes to none.</summary>
    public bool Add(OtlpLabelRank rank, OtlpLabelName names, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            return true;
        }

        Reserve(OtlpLabelName.MaxBytes(key.Length) + key.Length + value.Length);
        var nameAt = textLength;
        var nameLength = names.Write(key, text.AsSpan(nameAt));
        if (nameLength == 0)
        {
            return false;
        }

        textLength += nameLength;
        Put(rank, nameAt, nameLength, key, value);
        return true;
    }

    /// <summary>Adds a label under its name.</summary>
    public void Add(OtlpLabelRank rank, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            return;
        }

        Reserve((2 * name.Length) + value.Length);
        var nameAt = textLength;
        name.CopyTo(text.AsSpan(nameAt));
        textLength += name.Length;
        Put(rank, nameAt, name.Length, name, value);
    }

    /// <summary>Adds what another set holds, before or after it is settled.</summary>
    public void AddAll(OtlpLabelSet other)
    {
        Reserve(other.textLength);
        if (Count + other.Count > entries.Length)
        {
            Array.Resize(ref entries, Math.Max(Count + other.Count, entries.Length * 2));
        }

        other.text.AsSpan(0, other.textLength).CopyTo(text.AsSpan(textLength));
        foreach (ref readonly var entry in other.entries.AsSpan(0, other.Count))
        {
            entries[Count] = entry.Moved(textLength, Count);
            Count++;
        }

        textLength += other.textLength;
    }

    /// <summary>Sorts the labels by name and decides which of one name counts.</summary>
    public void Settle()
    {
        var all = entries.AsSpan(0, Count);
        all.Sort(new ByName(text));
        var kept = 0;
        for (var i = 0; i < all.Length;)
        {
            var end = i + 1;
            var sameRank = i + 1;
            while (end < all.Length && NameOf(all[end]).SequenceEqual(NameOf(all[i])))
            {
                sameRank = all[end].Rank == all[i].Rank ? end + 1 : sameRank;
                end++;
            }

            all[kept++] = sameRank - i == 1 ? all[i] : all[i].Rank == OtlpLabelRank.Attribute ? Join(i, sameRank) : all[sameRank - 1];
            i = end;
            all = entries.AsSpan(0, Count);
        }

        Count = kept;
    }

    /// <summary>Writes the settled labels with the metric's name and one more label, as remote write 1.0 lays labels out, sorted by name. Those two replace labels of the same name.</summary>
    /// <param name="to">Is overwritten.</param>
    /// <param name="metric">The value of <c>__name__</c>.</param>
    /// <param name="name">The name of one more label; empty for none.</param>
    /// <param name="value">Its value.</param>
    public void WriteTo(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> metric, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        to.ResetWrittenCount();
        var metricIsDue = true;
        var extraIsDue = !name.IsEmpty;
        foreach (ref readonly var entry in entries.AsSpan(0, Count))
        {
            var own = NameOf(entry);
            var order = own.SequenceCompareTo("__name__"u8);
            if (metricIsDue && order >= 0)
            {
                RemoteWriteLabels.Append(to, "__name__"u8, metric);
                metricIsDue = false;
            }

            var extraOrder = extraIsDue ? own.SequenceCompareTo(name) : -1;
            if (extraIsDue && extraOrder >= 0)
            {
                RemoteWriteLabels.Append(to, name, value);
                extraIsDue = false;
            }

            if (order != 0 && extraOrder != 0)
            {
                RemoteWriteLabels.Append(to, own, ValueOf(entry));
            }
        }

        if (metricIsDue)
        {
            RemoteWriteLabels.Append(to, "__name__"u8, metric);
        }

        if (extraIsDue)
        {
            RemoteWriteLabels.Append(to, name, value);
        }
    }

    private Entry Join(int start, int end)
    {
        var need = end - start;
        for (var i = start; i < end; i++)
        {
            need += entries[i].ValueLength;
        }

        Reserve(need);
        var valueAt = textLength;
        for (var i = start; i < end; i++)
        {
            if (i > start)
            {
                text[textLength++] = (byte)';';
            }

            ValueOf(entries[i]).CopyTo(text.AsSpan(textLength));
            textLength += entries[i].ValueLength;
        }

        return entries[start] with { ValueAt = valueAt, ValueLength = textLength - valueAt };
    }

    private void Put(OtlpLabelRank rank, int nameAt, int nameLength, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (Count == entries.Length)
        {
            Array.Resize(ref entries, Count * 2);
        }

        var keyAt = textLength;
        key.CopyTo(text.AsSpan(textLength));
        textLength += key.Length;
        value.CopyTo(text.AsSpan(textLength));
        entries[Count] = new Entry(rank, nameAt, nameLength, keyAt, key.Length, textLength, value.Length, Count);
        Count++;
        textLength += value.Length;
    }

    private void Reserve(int bytes)
    {
        if (text.Length - textLength < bytes)
        {
            Array.Resize(ref text, Math.Max(textLength + bytes, text.Length * 2));
        }
    }

    private ReadOnlySpan<byte> NameOf(in Entry entry) => text.AsSpan(entry.NameAt, entry.NameLength);

    private ReadOnlySpan<byte> ValueOf(in Entry entry) => text.AsSpan(entry.ValueAt, entry.ValueLength);

    private readonly record struct Entry(OtlpLabelRank Rank, int NameAt, int NameLength, int KeyAt, int KeyLength, int ValueAt, int ValueLength, int Order)
    {
        public Entry Moved(int by, int order) => this with { NameAt = NameAt + by, KeyAt = KeyAt + by, ValueAt = ValueAt + by, Order = order };
    }

    /// <summary>By name, then rank, then key, then as added.</summary>
    private readonly struct ByName(byte[] text) : IComparer<Entry>
    {
        public int Compare(Entry x, Entry y)
        {
            var order = text.AsSpan(x.NameAt, x.NameLength).SequenceCompareTo(text.AsSpan(y.NameAt, y.NameLength));
            order = order != 0 ? order : x.Rank.CompareTo(y.Rank);
            order = order != 0 || x.Rank != OtlpLabelRank.Attribute ? order : text.AsSpan(x.KeyAt, x.KeyLength).SequenceCompareTo(text.AsSpan(y.KeyAt, y.KeyLength));
            return order != 0 ? order : x.Order.CompareTo(y.Order);
        }
    }
}
