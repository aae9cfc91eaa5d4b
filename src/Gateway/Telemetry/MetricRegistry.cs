using System.Buffers;
using System.Globalization;
using System.Text;

namespace Metrics.Gateway.Telemetry;

/// <summary>The metrics this process tells about itself, and their text exposition (format 0.0.4).</summary>
/// <remarks>
/// Few instruments and no listeners: an increment is one interlocked add. Families are registered at start and never removed. Thread-safe.
/// </remarks>
internal sealed class MetricRegistry
{
    private readonly List<MetricFamily> families = [];

    /// <summary>Registers a family; names must differ.</summary>
    public T Add<T>(T family)
        where T : MetricFamily
    {
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

    /// <summary>Writes all families as text.</summary>
    public void Write(IBufferWriter<byte> to)
    {
        MetricFamily[] all;
        lock (families)
        {
            all = [.. families];
        }

        var text = new StringBuilder(256);
        foreach (var family in all)
        {
            text.Clear().Append("# HELP ").Append(family.Name).Append(' ').Append(family.Help.Replace("\\", "\\\\").Replace("\n", "\\n"))
                .Append("\n# TYPE ").Append(family.Name).Append(' ').Append(family.Type).Append('\n');
            family.Collect(new SampleSink(text, family.Name));
            Encoding.UTF8.GetBytes(text.ToString(), to);
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
