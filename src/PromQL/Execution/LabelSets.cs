using System.Runtime.CompilerServices;
using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Label sets made from others by leaving labels out. Works on the canonical bytes; allocates only the result, many together.</summary>
/// <remarks>Not thread-safe: holds a buffer.</remarks>
internal sealed class LabelSets
{
    private const int Recent = 256;

    private byte[] buffer = new byte[512];
    private readonly LabelsArena made = new();
    private (Labels? Of, Labels? Without)[] recent = [];

    /// <summary>The labels without <c>__name__</c>, <c>__type__</c> and <c>__unit__</c>: what an operation that changes the meaning leaves.</summary>
    public Labels WithoutMetadata(Labels labels)
    {
        // Where many series share their labels, they share what is left of them.
        recent = recent.Length == 0 ? new (Labels?, Labels?)[Recent] : recent;
        ref var known = ref recent[RuntimeHelpers.GetHashCode(labels) % Recent];
        if (!ReferenceEquals(known.Of, labels))
        {
            known = (labels, LeaveMetadataOut(labels));
        }

        return known.Without!;
    }

    private Labels LeaveMetadataOut(Labels labels)
    {
        var length = 0;
        Fit(labels);
        foreach (var label in labels)
        {
            if (!IsMetadata(label.Name))
            {
                length += Put(label, length);
            }
        }

        return length == labels.Encoded.Length ? labels : made.Add(buffer.AsSpan(0, length));
    }

    /// <summary>The canonical bytes of the labels that are in a subset. Valid until the next call.</summary>
    public ReadOnlySpan<byte> Reduce(Labels labels, LabelSubset subset) => subset.Of(labels.Encoded, ref buffer);

    /// <summary>True for the labels that say what a metric is rather than where it comes from.</summary>
    public static bool IsMetadata(ReadOnlySpan<byte> name) =>
        name.Length >= 8 && name[0] == (byte)'_' && (name.SequenceEqual("__name__"u8) || name.SequenceEqual("__type__"u8) || name.SequenceEqual("__unit__"u8));

    private void Fit(Labels labels)
    {
        if (buffer.Length < labels.Encoded.Length)
        {
            buffer = new byte[labels.Encoded.Length * 2];
        }
    }

    private int Put(LabelView label, int at)
    {
        var written = Varint.Write(buffer.AsSpan(at), (ulong)label.Name.Length);
        label.Name.CopyTo(buffer.AsSpan(at + written));
        written += label.Name.Length;
        written += Varint.Write(buffer.AsSpan(at + written), (ulong)label.Value.Length);
        label.Value.CopyTo(buffer.AsSpan(at + written));
        return written + label.Value.Length;
    }
}
