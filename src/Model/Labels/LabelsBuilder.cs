using System.Text;

namespace Metrics.Model;

/// <summary>Builds a <see cref="Labels"/> from pairs in any order. Reusable; not thread-safe.</summary>
public sealed class LabelsBuilder
{
    private readonly List<(byte[] Name, byte[] Value)> pairs = [];
    private byte[] buffer = new byte[256];

    /// <summary>The number of labels now held.</summary>
    public int Count => pairs.Count;

    /// <summary>Forgets every label.</summary>
    public LabelsBuilder Clear()
    {
        pairs.Clear();
        return this;
    }

    /// <summary>Starts over from an existing set.</summary>
    public LabelsBuilder Reset(Labels labels)
    {
        pairs.Clear();
        foreach (var label in labels)
        {
            pairs.Add((label.Name.ToArray(), label.Value.ToArray()));
        }

        return this;
    }

    /// <summary>Sets a label, replacing one of the same name; an empty value removes it.</summary>
    public LabelsBuilder Set(string name, string value) => Set(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(value));

    /// <summary>Sets a label, replacing one of the same name; an empty value removes it.</summary>
    public LabelsBuilder Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var at = Find(name, out var found);
        if (value.IsEmpty)
        {
            if (found)
            {
                pairs.RemoveAt(at);
            }
        }
        else if (found)
        {
            pairs[at] = (pairs[at].Name, value.ToArray());
        }
        else
        {
            pairs.Insert(at, (name.ToArray(), value.ToArray()));
        }

        return this;
    }

    /// <summary>Removes a label if it is there.</summary>
    public LabelsBuilder Remove(ReadOnlySpan<byte> name) => Set(name, default);

    /// <summary>Removes a label if it is there.</summary>
    public LabelsBuilder Remove(string name) => Set(Encoding.UTF8.GetBytes(name), default);

    /// <summary>The value now set for a name; empty when there is none.</summary>
    public ReadOnlySpan<byte> Get(ReadOnlySpan<byte> name)
    {
        var at = Find(name, out var found);
        return found ? pairs[at].Value : default;
    }

    /// <summary>Makes the canonical label set.</summary>
    public Labels ToLabels()
    {
        var length = 0;
        foreach (var (name, value) in pairs)
        {
            var need = length + name.Length + value.Length + (2 * Varint.MaxBytes);
            if (buffer.Length < need)
            {
                Array.Resize(ref buffer, Math.Max(need, buffer.Length * 2));
            }

            length += PutText(buffer.AsSpan(length), name);
            length += PutText(buffer.AsSpan(length), value);
        }

        return Labels.Own(buffer.AsSpan(0, length).ToArray());
    }

    private static int PutText(Span<byte> to, ReadOnlySpan<byte> text)
    {
        var written = Varint.Write(to, (ulong)text.Length);
        text.CopyTo(to[written..]);
        return written + text.Length;
    }

    private int Find(ReadOnlySpan<byte> name, out bool found)
    {
        // Label sets are small and mostly built in order, so the search starts at the end.
        var at = pairs.Count;
        while (at > 0)
        {
            var order = pairs[at - 1].Name.AsSpan().SequenceCompareTo(name);
            if (order <= 0)
            {
                found = order == 0;
                return found ? at - 1 : at;
            }

            at--;
        }

        found = false;
        return 0;
    }
}
