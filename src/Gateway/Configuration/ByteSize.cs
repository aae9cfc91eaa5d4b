namespace Metrics.Gateway.Configuration;

/// <summary>A number of bytes; written as <c>32MiB</c>, <c>512KiB</c>, <c>1GiB</c> or a plain number of bytes.</summary>
public readonly record struct ByteSize(long Bytes) : IComparable<ByteSize>
{
    private static readonly (string Unit, long Factor)[] Units = [("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10), ("B", 1)];

    /// <summary>So many mebibytes.</summary>
    public static ByteSize MiB(long count) => new(count << 20);

    /// <summary>Reads the notation; false when it is none.</summary>
    public static bool TryParse(string text, out ByteSize size)
    {
        size = default;
        var digits = text.AsSpan().TrimEnd("TGMKiB");
        var unit = text[digits.Length..];
        if (!long.TryParse(digits, System.Globalization.NumberStyles.None, null, out var count))
        {
            return false;
        }

        var factor = unit.Length == 0 ? 1 : Array.Find(Units, u => u.Unit == unit).Factor;
        if (factor == 0 || count > long.MaxValue / factor)
        {
            return false;
        }

        size = new ByteSize(count * factor);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(ByteSize other) => Bytes.CompareTo(other.Bytes);

    /// <summary>The notation with the largest unit that divides it.</summary>
    public override string ToString()
    {
        foreach (var (unit, factor) in Units)
        {
            if (Bytes != 0 && Bytes % factor == 0)
            {
                return $"{Bytes / factor}{unit}";
            }
        }

        return "0";
    }
}
