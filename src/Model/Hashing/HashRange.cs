namespace Metrics.Model;

/// <summary>A range of the 64-bit series hash that shares its top bits: what one shard owns.</summary>
/// <param name="Prefix">The shared bits, right-aligned; less than 2^<paramref name="Bits"/>.</param>
/// <param name="Bits">How many top bits are shared, 0 (everything) to 32.</param>
public readonly record struct HashRange(uint Prefix, int Bits) : IComparable<HashRange>
{
    /// <summary>The whole hash space.</summary>
    public static HashRange Everything => default;

    /// <summary>True when the hash lies in this range.</summary>
    public bool Contains(ulong hash) => Bits == 0 || hash >> (64 - Bits) == Prefix;

    /// <summary>The two halves of this range.</summary>
    public (HashRange Low, HashRange High) Split() => (new(Prefix << 1, Bits + 1), new((Prefix << 1) | 1, Bits + 1));

    /// <summary>The range of which this one is a half; everything has none, and gives itself.</summary>
    public HashRange Parent => Bits == 0 ? this : new(Prefix >> 1, Bits - 1);

    /// <summary>True when all hashes of the other range lie in this one.</summary>
    public bool Covers(HashRange other) => Bits <= other.Bits && Contains(other.First);

    /// <summary>True when some hash lies in both: one of them covers the other.</summary>
    public bool Overlaps(HashRange other) => Covers(other) || other.Covers(this);

    /// <summary>Cuts the whole space into 2^<paramref name="bits"/> equal ranges, ascending.</summary>
    public static HashRange[] Partition(int bits)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bits);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 16);
        var ranges = new HashRange[1 << bits];
        for (var i = 0; i < ranges.Length; i++)
        {
            ranges[i] = new HashRange((uint)i, bits);
        }

        return ranges;
    }

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    /// <exception cref="FormatException">The text is no range.</exception>
    public static HashRange Parse(string text)
    {
        if (text == "all")
        {
            return Everything;
        }

        if (!text.StartsWith("0b", StringComparison.Ordinal) || text.Length is < 3 or > 34 || text.AsSpan(2).ContainsAnyExceptInRange('0', '1'))
        {
            throw new FormatException($"'{text}' is no hash range; want 'all' or 0b and 1 to 32 binary digits");
        }

        return new HashRange(Convert.ToUInt32(text[2..], 2), text.Length - 2);
    }

    /// <inheritdoc/>
    public int CompareTo(HashRange other)
    {
        var order = First.CompareTo(other.First);
        return order != 0 ? order : Bits.CompareTo(other.Bits);
    }

    /// <summary>The lowest hash in the range.</summary>
    public ulong First => Bits == 0 ? 0 : (ulong)Prefix << (64 - Bits);

    /// <summary>The range as its bits, e.g. <c>0b01</c>; <c>all</c> for the whole space. Used in folder names.</summary>
    public override string ToString() => Bits == 0 ? "all" : "0b" + Convert.ToString(Prefix, 2).PadLeft(Bits, '0');
}
