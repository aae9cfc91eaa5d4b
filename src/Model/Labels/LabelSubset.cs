using System.Text;

namespace Metrics.Model;

/// <summary>Some of the labels of a series: those of certain names, or all but those. Immutable.</summary>
public sealed class LabelSubset
{
    private readonly byte[][] names;

    /// <summary>The labels that bear one of the names, or, with <paramref name="without"/>, none of them.</summary>
    public LabelSubset(IEnumerable<string> names, bool without)
    {
        this.names = [.. names.Distinct(StringComparer.Ordinal).Select(Encoding.UTF8.GetBytes)];
        Array.Sort(this.names, static (a, b) => a.AsSpan().SequenceCompareTo(b));
        Without = without;
    }

    /// <summary>Whether the names are those left out.</summary>
    public bool Without { get; }

    /// <summary>True when a label of this name is in it.</summary>
    public bool Keeps(ReadOnlySpan<byte> name)
    {
        foreach (var one in names)
        {
            if (one.AsSpan().SequenceEqual(name))
            {
                return !Without;
            }
        }

        return Without;
    }

    /// <summary>What of some labels is in it, in canonical form, written to <paramref name="scratch"/>, which is replaced by a larger one when too small. Valid until that is used again.</summary>
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> canonical, ref byte[] scratch)
    {
        if (scratch.Length < canonical.Length)
        {
            scratch = new byte[canonical.Length * 2];
        }

        var length = 0;
        var next = 0;
        var rest = canonical;
        foreach (var label in new LabelEnumerator(canonical))
        {
            // Both ascend.
            while (next < names.Length && label.Name.SequenceCompareTo(names[next]) > 0)
            {
                next++;
            }

            var listed = next < names.Length && label.Name.SequenceEqual(names[next]);
            var bytes = Varint.Length((ulong)label.Name.Length) + label.Name.Length + Varint.Length((ulong)label.Value.Length) + label.Value.Length;
            if (listed != Without)
            {
                rest[..bytes].CopyTo(scratch.AsSpan(length));
                length += bytes;
            }

            rest = rest[bytes..];
        }

        return scratch.AsSpan(0, length);
    }
}
