using System.Collections;
using System.Runtime.InteropServices;
using System.Text;

namespace Metrics.Model;

/// <summary>An immutable set of labels in canonical form: one byte string, sorted by label name, without empty values.</summary>
/// <remarks>
/// The canonical form is, per label, <c>uvarint(name bytes) name uvarint(value bytes) value</c> with UTF-8 text, names ascending by bytes and
/// unique. It is what the log stores and what <see cref="SeriesHash"/> hashes, so it is a persisted format. Text stays UTF-8 from the wire to
/// the answer; <see cref="string"/> accessors are for cold code.
/// Instances are immutable and safe to share between threads.
/// </remarks>
public sealed class Labels : IEquatable<Labels>, IComparable<Labels>, IEnumerable<KeyValuePair<string, string>>
{
    /// <summary>The name of the label that holds the metric name.</summary>
    public const string MetricName = "__name__";

    /// <summary>The empty label set.</summary>
    public static readonly Labels Empty = new([]);

    private readonly byte[] block;
    private readonly int start;
    private readonly int length;
    private ulong hash; // 0 for one that was not computed yet.

    private Labels(byte[] encoded)
        : this(encoded, 0, encoded.Length)
    {
    }

    /// <summary>A set whose canonical bytes are a part of others that don't change any more.</summary>
    internal Labels(byte[] block, int start, int length)
    {
        this.block = block;
        this.start = start;
        this.length = length;
    }

    /// <summary>The canonical bytes.</summary>
    public ReadOnlySpan<byte> Encoded => new(block, start, length);

    /// <summary>The canonical bytes, for callers that keep them.</summary>
    public ReadOnlyMemory<byte> EncodedMemory => new(block, start, length);

    /// <summary>True when there is no label.</summary>
    public bool IsEmpty => length == 0;

    /// <summary>The frozen 64-bit hash of the canonical bytes; see <see cref="SeriesHash"/>.</summary>
    public ulong Hash
    {
        get
        {
            var known = hash;
            if (known == 0)
            {
                hash = known = SeriesHash.Of(Encoded);
            }

            return known;
        }
    }

    /// <summary>The number of labels. O(n).</summary>
    public int Count
    {
        get
        {
            var count = 0;
            foreach (var _ in this)
            {
                count++;
            }

            return count;
        }
    }

    /// <summary>The value of a label, or the empty string when there is none. Allocates; for cold code.</summary>
    public string this[string name] => Encoding.UTF8.GetString(Get(Encoding.UTF8.GetBytes(name)));

    /// <summary>Wraps canonical bytes, which are copied. The caller vouches for the form; use <see cref="LabelsBuilder"/> otherwise.</summary>
    public static Labels FromEncoded(ReadOnlySpan<byte> canonical) => canonical.IsEmpty ? Empty : new Labels(canonical.ToArray());

    /// <summary>True when bytes that nobody vouches for are in canonical form.</summary>
    public static bool IsCanonical(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> before = default;
        for (var isFirst = true; !bytes.IsEmpty; isFirst = false)
        {
            if (!TryTake(ref bytes, out var name) || !TryTake(ref bytes, out var value) || name.IsEmpty || value.IsEmpty || (!isFirst && before.SequenceCompareTo(name) >= 0))
            {
                return false;
            }

            before = name;
        }

        return true;

        static bool TryTake(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> text)
        {
            text = default;
            if (!Varint.TryRead(ref rest, out var length) || length > (ulong)rest.Length)
            {
                return false;
            }

            text = rest[..(int)length];
            rest = rest[(int)length..];
            return System.Text.Unicode.Utf8.IsValid(text);
        }
    }

    /// <summary>Makes a label set from pairs in any order. Pairs with an empty value are dropped; the last of equal names wins.</summary>
    public static Labels Of(params ReadOnlySpan<(string Name, string Value)> pairs)
    {
        var builder = new LabelsBuilder();
        foreach (var (name, value) in pairs)
        {
            builder.Set(name, value);
        }

        return builder.ToLabels();
    }

    /// <summary>The value of a label, or an empty span when there is none.</summary>
    public ReadOnlySpan<byte> Get(ReadOnlySpan<byte> name)
    {
        foreach (var label in this)
        {
            var order = label.Name.SequenceCompareTo(name);
            if (order == 0)
            {
                return label.Value;
            }

            if (order > 0)
            {
                break;
            }
        }

        return default;
    }

    /// <summary>True when a label of this name is present.</summary>
    public bool Has(ReadOnlySpan<byte> name) => !Get(name).IsEmpty;

    /// <summary>Walks the labels in order of their names.</summary>
    public LabelEnumerator GetEnumerator() => new(Encoded);

    IEnumerator<KeyValuePair<string, string>> IEnumerable<KeyValuePair<string, string>>.GetEnumerator() => Pairs().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => Pairs().GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(Labels? other) => other is not null && (ReferenceEquals(this, other) || Encoded.SequenceEqual(other.Encoded));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Labels);

    /// <inheritdoc/>
    public override int GetHashCode() => Hash.GetHashCode();

    /// <summary>Orders as Prometheus does: label by label, name before value, by UTF-8 bytes; a prefix comes first.</summary>
    public int CompareTo(Labels? other) => other is null ? 1 : Compare(Encoded, other.Encoded);

    /// <summary>Compares two canonical forms in the order of <see cref="CompareTo"/>.</summary>
    public static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        // Fast path: the common prefix of neighbours in a sorted list is long, and equal bytes need no parsing; but an order
        // can be told only at label boundaries, because lengths precede the text.
        var l = new LabelEnumerator(left);
        var r = new LabelEnumerator(right);
        while (true)
        {
            var hasLeft = l.MoveNext();
            var hasRight = r.MoveNext();
            if (!hasLeft || !hasRight)
            {
                return hasLeft.CompareTo(hasRight);
            }

            var order = l.Current.Name.SequenceCompareTo(r.Current.Name);
            if (order == 0)
            {
                order = l.Current.Value.SequenceCompareTo(r.Current.Value);
            }

            if (order != 0)
            {
                return order;
            }
        }
    }

    /// <summary>The set in Prometheus's notation, e.g. <c>up{job="api"}</c> or <c>{"my.name"="x"}</c>.</summary>
    public override string ToString() => LabelsText.Format(this);

    internal static Labels Own(byte[] canonical) => canonical.Length == 0 ? Empty : new Labels(canonical);

    private List<KeyValuePair<string, string>> Pairs()
    {
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (var label in this)
        {
            pairs.Add(new(Encoding.UTF8.GetString(label.Name), Encoding.UTF8.GetString(label.Value)));
        }

        return pairs;
    }
}

/// <summary>One label of a canonical form, borrowed from it.</summary>
public readonly ref struct LabelView(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
{
    /// <summary>The name, UTF-8.</summary>
    public ReadOnlySpan<byte> Name { get; } = name;

    /// <summary>The value, UTF-8, never empty.</summary>
    public ReadOnlySpan<byte> Value { get; } = value;
}

/// <summary>Walks a canonical form without allocating.</summary>
[StructLayout(LayoutKind.Auto)]
public ref struct LabelEnumerator(ReadOnlySpan<byte> canonical)
{
    private ReadOnlySpan<byte> rest = canonical;

    /// <summary>The label at the cursor.</summary>
    public LabelView Current { get; private set; }

    /// <summary>Steps to the next label; false at the end.</summary>
    public bool MoveNext()
    {
        if (rest.IsEmpty)
        {
            return false;
        }

        var name = TakeText(ref rest);
        var value = TakeText(ref rest);
        Current = new LabelView(name, value);
        return true;
    }

    /// <summary>Makes the enumerator usable in <c>foreach</c>.</summary>
    public readonly LabelEnumerator GetEnumerator() => this;

    private static ReadOnlySpan<byte> TakeText(scoped ref ReadOnlySpan<byte> from)
    {
        var length = (int)Varint.Read(ref from);
        var text = from[..length];
        from = from[length..];
        return text;
    }
}
