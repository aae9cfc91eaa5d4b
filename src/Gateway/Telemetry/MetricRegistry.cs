using System.Buffers;
using System.Globalization;
using System.Text;

namespace Metrics.Gateway.Telemetry;

/// <summary>The metrics this process tells about itself, and their exposition.</summary>
/// <remarks>
/// Few instruments and no listeners: an increment is one interlocked add. Families are registered at start and never removed. Thread-safe.
/// </remarks>
internal sealed class MetricRegistry
{
    private const string CounterSuffix = "_total";

    private readonly List<MetricFamily> families = [];

    /// <summary>Registers a family; names must differ, and that of a counter ends with <c>_total</c>.</summary>
    public T Add<T>(T family)
        where T : MetricFamily
    {
        if (family.Type == "counter" && !family.Name.EndsWith(CounterSuffix, StringComparison.Ordinal))
        {
            throw new ArgumentException($"counter {family.Name} does not end with {CounterSuffix}", nameof(family));
        }

        lock (families)
        {
            if (families.Exists(f => f.Name == family.Name))
            {
                throw new ArgumentException($"metric family {family.Name} is registered twice", nameof(family));
            }

            families.Add(family);
        }

        return family;
    }

    /// <summary>Writes all families, as text 0.0.4 or as OpenMetrics 1.0.</summary>
    public void Write(IBufferWriter<byte> to, bool asOpenMetrics = false)
    {
        MetricFamily[] all;
        lock (families)
        {
            all = [.. families];
        }

        var text = new StringBuilder(256);
        foreach (var family in all)
        {
            // In OpenMetrics the suffix belongs to the samples of a counter, not to its name.
            var name = asOpenMetrics && family.Type == "counter" ? family.Name[..^CounterSuffix.Length] : family.Name;
            var help = family.Help.Replace("\\", "\\\\").Replace("\n", "\\n");
            text.Clear().Append("# HELP ").Append(name).Append(' ').Append(asOpenMetrics ? help.Replace("\"", "\\\"") : help)
                .Append("\n# TYPE ").Append(name).Append(' ').Append(family.Type).Append('\n');
            family.Collect(new SampleSink(text, family.Name));
            Encoding.UTF8.GetBytes(text.ToString(), to);
        }

        if (asOpenMetrics)
        {
            to.Write("# EOF\n"u8);
        }
    }
}

/// <summary>Where a family puts its samples.</summary>
internal readonly struct SampleSink(StringBuilder text, string family)
{
    /// <summary>Adds a sample; labels are pairs of name and value.</summary>
    public void Put(string suffix, ReadOnlySpan<(string Name, string Value)> labels, double value)
    {
        text.Append(family).Append(suffix);
        if (labels.Length > 0)
        {
            text.Append('{');
            for (var i = 0; i < labels.Length; i++)
            {
                text.Append(i == 0 ? "" : ",").Append(labels[i].Name).Append("=\"")
                    .Append(labels[i].Value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
            }

            text.Append('}');
        }

        text.Append(' ').Append(Format(value)).Append('\n');
    }

    /// <summary>A float as the text format has it.</summary>
    public static string Format(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf" : double.IsNegativeInfinity(value) ? "-Inf" : value.ToString("R", CultureInfo.InvariantCulture);
}

/// <summary>A metric family.</summary>
internal abstract class MetricFamily(string name, string type, string help)
{
    /// <summary>Its name.</summary>
    public string Name { get; } = name;

    /// <summary>counter, gauge or histogram.</summary>
    public string Type { get; } = type;

    /// <summary>What it tells.</summary>
    public string Help { get; } = help;

    /// <summary>Puts out the samples of now.</summary>
    public abstract void Collect(SampleSink sink);
}
