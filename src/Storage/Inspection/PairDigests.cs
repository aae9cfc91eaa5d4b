using System.Runtime.InteropServices;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Per label pair, how many series carry it and a digest of their references in ascending order: what its postings list must come to. Not thread-safe.</summary>
internal sealed class PairDigests
{
    private readonly Dictionary<ulong, Digest> digests = [];

    /// <summary>The number of distinct pairs.</summary>
    public int Count => digests.Count;

    /// <summary>Takes the labels of a series, whose references must come ascending.</summary>
    /// <param name="body">A verified series entry.</param>
    /// <param name="reference">The series' reference.</param>
    public void Add(ReadOnlySpan<byte> body, uint reference)
    {
        var rest = body;
        if (!Varint.TryRead(ref rest, out var labels))
        {
            throw new InvalidDataException("malformed count of labels");
        }

        for (; labels > 0; labels--)
        {
            if (!Varint.TryRead(ref rest, out var name) || !Varint.TryRead(ref rest, out var value) || name > uint.MaxValue || value > uint.MaxValue)
            {
                throw new InvalidDataException("malformed number of a symbol");
            }

            CollectionsMarshal.GetValueRefOrAddDefault(digests, (name << 32) | value, out _).Add(reference);
        }
    }

    /// <summary>Compares a postings list with the series seen; the digest of a pair that no series has is that of an empty list.</summary>
    public bool Matches(int name, int value, ReadOnlySpan<uint> list)
    {
        var listed = default(Digest);
        foreach (var reference in list)
        {
            listed.Add(reference);
        }

        return digests.GetValueOrDefault(((ulong)(uint)name << 32) | (uint)value) == listed;
    }

    private record struct Digest(ulong Hash, int Count)
    {
        // FNV's step over whole references, with a multiplier of 64 bits.
        public void Add(uint reference)
        {
            Hash = unchecked((Hash ^ reference) * 0x9E3779B97F4A7C15);
            Hash ^= Hash >> 29;
            Count++;
        }
    }
}
