using System.Text;
using System.Text.Unicode;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Turns the labels of one series as they came over the wire into canonical form, or says why they can't be taken.</summary>
/// <remarks>Reused from series to series; not thread-safe. The spans returned hold until the next call.</remarks>
internal sealed class LabelCanonicalizer(LabelLimits limits, bool needsName = true)
{
    private readonly Entry[] entries = new Entry[limits.MaxLabels];
    private byte[] scratch = new byte[1024];
    private byte[] sorted = [];
    private int count;
    private int length;

    /// <summary>Canonicalises labels. On refusal the canonical bytes are empty and <paramref name="example"/> says what is wrong with which series.</summary>
    public RejectReason Canonicalize<TFormat>(ReadOnlySpan<byte> rawLabels, out ReadOnlySpan<byte> canonical, out string example)
        where TFormat : struct, ILabelFormat
    {
        canonical = default;
        var reason = Collect<TFormat>(rawLabels, out var ordered, out var hasEmpty, out var culprit);
        if (reason == RejectReason.None && !ordered)
        {
            entries.AsSpan(0, count).Sort(new ByName(scratch));
            reason = FindDuplicate(out culprit);
        }

        if (reason == RejectReason.None && needsName && !HasMetricName())
        {
            reason = RejectReason.MissingMetricName;
        }

        if (reason != RejectReason.None)
        {
            example = Describe<TFormat>(reason, culprit, rawLabels);
            return reason;
        }

        example = "";
        canonical = ordered && !hasEmpty ? scratch.AsSpan(0, length) : Rewrite();
        return RejectReason.None;
    }

    private RejectReason Collect<TFormat>(ReadOnlySpan<byte> rawLabels, out bool ordered, out bool hasEmpty, out string culprit)
        where TFormat : struct, ILabelFormat
    {
        count = 0;
        length = 0;
        ordered = true;
        hasEmpty = false;
        culprit = "";
        var rest = rawLabels;
        ReadOnlySpan<byte> previous = default;
        while (TFormat.TryNext(ref rest, out var name, out var value))
        {
            var reason = Check(name, value);
            if (reason != RejectReason.None)
            {
                culprit = Shown(name);
                return reason;
            }

            var order = previous.SequenceCompareTo(name);
            if (order == 0)
            {
                culprit = Shown(name);
                return RejectReason.DuplicateLabelName;
            }

            ordered &= order < 0;
            hasEmpty |= value.IsEmpty;
            previous = name;
            Append(name, value);
        }

        return RejectReason.None;
    }

    private RejectReason Check(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (count == limits.MaxLabels)
        {
            return RejectReason.TooManyLabels;
        }

        if (name.IsEmpty)
        {
            return RejectReason.EmptyLabelName;
        }

        if (name.Length > limits.MaxNameBytes)
        {
            return RejectReason.LabelNameTooLong;
        }

        if (value.Length > limits.MaxValueBytes)
        {
            return RejectReason.LabelValueTooLong;
        }

        return Utf8.IsValid(name) && Utf8.IsValid(value) ? RejectReason.None : RejectReason.InvalidUtf8;
    }

    private void Append(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var need = length + name.Length + value.Length + (2 * Varint.MaxBytes);
        if (need > scratch.Length)
        {
            Array.Resize(ref scratch, Math.Max(need, scratch.Length * 2));
        }

        var start = length;
        length += Varint.Write(scratch.AsSpan(length), (ulong)name.Length);
        var nameAt = length;
        name.CopyTo(scratch.AsSpan(length));
        length += name.Length;
        length += Varint.Write(scratch.AsSpan(length), (ulong)value.Length);
        value.CopyTo(scratch.AsSpan(length));
        length += value.Length;
        entries[count++] = new Entry(start, nameAt, name.Length, value.Length, length);
    }

    private RejectReason FindDuplicate(out string culprit)
    {
        for (var i = 1; i < count; i++)
        {
            if (NameOf(entries[i]).SequenceEqual(NameOf(entries[i - 1])))
            {
                culprit = Shown(NameOf(entries[i]));
                return RejectReason.DuplicateLabelName;
            }
        }

        culprit = "";
        return RejectReason.None;
    }

    private bool HasMetricName()
    {
        foreach (ref readonly var entry in entries.AsSpan(0, count))
        {
            if (entry.ValueLength > 0 && NameOf(entry).SequenceEqual("__name__"u8))
            {
                return true;
            }
        }

        return false;
    }

    private Span<byte> Rewrite()
    {
        if (sorted.Length < length)
        {
            sorted = new byte[scratch.Length];
        }

        var at = 0;
        foreach (ref readonly var entry in entries.AsSpan(0, count))
        {
            if (entry.ValueLength > 0)
            {
                scratch.AsSpan(entry.Start, entry.End - entry.Start).CopyTo(sorted.AsSpan(at));
                at += entry.End - entry.Start;
            }
        }

        return sorted.AsSpan(0, at);
    }

    private ReadOnlySpan<byte> NameOf(in Entry entry) => scratch.AsSpan(entry.NameAt, entry.NameLength);

    private string Describe<TFormat>(RejectReason reason, string culprit, ReadOnlySpan<byte> rawLabels)
        where TFormat : struct, ILabelFormat
    {
        var what = reason switch
        {
            RejectReason.MissingMetricName => "received series has no metric name",
            RejectReason.DuplicateLabelName => $"received a series with duplicate label name, label: '{culprit}'",
            RejectReason.EmptyLabelName => "received a series with an empty label name",
            RejectReason.InvalidUtf8 => $"received a series with an invalid label, label: '{culprit}' is not valid UTF-8 in name or value",
            RejectReason.LabelNameTooLong => $"received a series whose label name length exceeds the limit of {limits.MaxNameBytes} bytes, label: '{culprit}'",
            RejectReason.LabelValueTooLong => $"received a series whose label value length exceeds the limit of {limits.MaxValueBytes} bytes, label: '{culprit}'",
            _ => $"received a series whose number of labels exceeds the limit of {limits.MaxLabels}",
        };
        return $"{what} series: '{ShownSeries<TFormat>(rawLabels)}'";
    }

    private static string ShownSeries<TFormat>(ReadOnlySpan<byte> rawLabels)
        where TFormat : struct, ILabelFormat
    {
        var text = new StringBuilder("{");
        var rest = rawLabels;
        while (text.Length < 200 && TFormat.TryNext(ref rest, out var name, out var value))
        {
            text.Append(text.Length == 1 ? "" : ", ").Append(Shown(name)).Append('=').Append(LabelsText.Quote(Shown(value)));
        }

        return text.Append('}').ToString();
    }

    // Bytes that are no UTF-8 come out as U+FFFD; 200 bytes tell which label it is.
    private static string Shown(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 200)]);

    private readonly record struct Entry(int Start, int NameAt, int NameLength, int ValueLength, int End);

    private readonly struct ByName(byte[] scratch) : IComparer<Entry>
    {
        public int Compare(Entry left, Entry right) =>
            scratch.AsSpan(left.NameAt, left.NameLength).SequenceCompareTo(scratch.AsSpan(right.NameAt, right.NameLength));
    }
}
