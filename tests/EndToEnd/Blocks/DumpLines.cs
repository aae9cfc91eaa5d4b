using System.Globalization;
using Metrics.Model;

namespace Metrics.EndToEnd.Blocks;

/// <summary>Lines of <c>tsdb dump</c>, promtool's or ours, with floats brought to their bits: values are compared and not their printing.</summary>
internal static class DumpLines
{
    /// <summary>The lines of an output, each canonical, sorted.</summary>
    public static List<string> Of(string dumped) =>
        [.. dumped.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Canonical).Order(StringComparer.Ordinal)];

    /// <summary>Labels as a dump has them.</summary>
    public static string Braces(Labels labels) => $"{{{string.Join(", ", labels.AsEnumerable().Select(l => $"{l.Key}=\"{l.Value}\""))}}}";

    /// <summary>The canonical line of a float.</summary>
    public static string Float(string labels, double value, long timeMs) =>
        $"{labels} {(double.IsNaN(value) ? "NaN" : BitConverter.DoubleToUInt64Bits(value).ToString("x16", CultureInfo.InvariantCulture))} {timeMs}";

    private static string Canonical(string line)
    {
        var labelsEnd = line.IndexOf("} ", StringComparison.Ordinal) + 1;
        var timeAt = line.LastIndexOf(' ');
        var sample = line[(labelsEnd + 1)..timeAt];
        if (sample.StartsWith('{'))
        {
            return line;
        }

        var value = sample switch
        {
            "NaN" => double.NaN,
            "+Inf" => double.PositiveInfinity,
            "-Inf" => double.NegativeInfinity,
            _ => double.Parse(sample, CultureInfo.InvariantCulture),
        };
        return Float(line[..labelsEnd], value, long.Parse(line[(timeAt + 1)..], CultureInfo.InvariantCulture));
    }
}
