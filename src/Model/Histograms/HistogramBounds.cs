using System.Globalization;

namespace Metrics.Model;

/// <summary>The bounds of histogram buckets by schema and index.</summary>
/// <remarks>Bucket i of schema s reaches from 2^((i-1) * 2^-s), exclusive, to 2^(i * 2^-s), inclusive. Figures: prometheus/prometheus model/histogram/generic.go.</remarks>
public static class HistogramBounds
{
    /// <summary>The lowest schema in use.</summary>
    public const int LowestSchema = -4;

    /// <summary>The highest schema in use.</summary>
    public const int HighestSchema = 8;

    /// <summary>The lowest schema that may be read.</summary>
    public const int LowestReservedSchema = -9;

    /// <summary>The highest schema that may be read, to be reduced to <see cref="HighestSchema"/>.</summary>
    public const int HighestReservedSchema = 52;

    private const int TableBits = HighestSchema;

    // The published table of 2^(i/256 - 1) is not rounded to nearest; by digit, 1 + how many units in the last place it lies below.
    // Bounds are shown and compared as text, so that they must be the same doubles as everywhere else.
    private const string PublishedBelowNearest =
        "1111112111211111112311222222222211211121122211221122102211221122" +
        "1111112222332132112111211112111111121011213311221222112121332222" +
        "2121223322322122222222323233323311221121223321332233212232332232" +
        "2243223233433343333333444455435422322333324422333243223333543344";

    // 2^(i/256 - 1); those of schema s < 8 are every 2^(8-s)-th.
    private static readonly double[] fractions = Fractions();

    /// <summary>True for -4 to 8.</summary>
    public static bool IsExponential(int schema) => schema is >= LowestSchema and <= HighestSchema;

    /// <summary>True for schemas in use: -4 to 8 and custom bounds.</summary>
    public static bool IsValid(int schema) => IsExponential(schema) || schema == FloatHistogram.CustomBucketsSchema;

    /// <summary>True for schemas that may be read: -9 to 52 and custom bounds.</summary>
    public static bool IsKnown(int schema) => schema is (>= LowestReservedSchema and <= HighestReservedSchema) or FloatHistogram.CustomBucketsSchema;

    /// <summary>The upper bound of a positive bucket of an exponential schema; the last finite bucket ends at the largest double, not at infinity.</summary>
    public static double Exponential(int index, int schema)
    {
        if (schema < 0)
        {
            var exponent = (long)index << Math.Min(-schema, 31);
            return exponent == 1024 ? double.MaxValue : Math.ScaleB(1, (int)Math.Clamp(exponent, -5000, 5000));
        }

        var power = (index >> Math.Min(schema, 31)) + 1;
        var within = schema >= 31 ? index & int.MaxValue : index & ((1 << schema) - 1);
        var fraction = schema <= TableBits ? fractions[within << (TableBits - schema)] : Math.Pow(2, (within / Math.Pow(2, schema)) - 1);
        return fraction == 0.5 && power == 1025 ? double.MaxValue : Math.ScaleB(fraction, power);
    }

    /// <summary>The upper bound of a custom bucket: -Inf at -1, +Inf at and after the last.</summary>
    public static double Custom(int index, double[] bounds) =>
        index < 0 ? double.NegativeInfinity : index >= bounds.Length ? double.PositiveInfinity : bounds[index];

    /// <summary>The index in a coarser schema of the bucket that holds bucket <paramref name="index"/> of a finer one.</summary>
    public static int Reduce(int index, int schema, int targetSchema) => schema == targetSchema ? index : ((index - 1) >> Math.Min(schema - targetSchema, 31)) + 1;

    private static double[] Fractions()
    {
        // In 28 digits, then rounded once: doubles multiplied 255 times would drift from the published table.
        var root = 2m;
        for (var i = 0; i < TableBits; i++)
        {
            root = SquareRoot(root);
        }

        var table = new double[1 << TableBits];
        var value = 0.5m;
        for (var i = 0; i < table.Length; i++)
        {
            var nearest = double.Parse(value.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
            table[i] = BitConverter.Int64BitsToDouble(BitConverter.DoubleToInt64Bits(nearest) - (PublishedBelowNearest[i] - '1'));
            value *= root;
        }

        return table;
    }

    private static decimal SquareRoot(decimal value)
    {
        var root = (decimal)Math.Sqrt((double)value);
        for (var i = 0; i < 4; i++)
        {
            root = (root + (value / root)) / 2;
        }

        return root;
    }
}
