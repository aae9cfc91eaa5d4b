using System.Buffers;

namespace Metrics.Gateway.Telemetry;

/// <summary>The metrics this process tells about itself, and their exposition.</summary>
/// <remarks>
/// Few instruments and no listeners: an increment is one interlocked add. Families are registered at start and never removed. Thread-safe.
/// </remarks>
internal sealed class MetricRegistry
{
    /// <summary>How names of counters end.</summary>
    public const string CounterSuffix = "_total";

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

    /// <summary>Writes all families.</summary>
    public void Write(IBufferWriter<byte> to, ExpositionFormat format)
    {
        if (format == ExpositionFormat.Protobuf)
        {
            using var messages = new ProtobufExposition(to);
            Write(messages, static _ => true);
        }
        else
        {
            Write(new TextExposition(to, format == ExpositionFormat.OpenMetrics), static _ => true);
        }
    }

    /// <summary>Puts out the families whose names are wanted.</summary>
    public void Write(SampleSink sink, Func<string, bool> isWanted)
    {
        MetricFamily[] all;
        lock (families)
        {
            all = [.. families];
        }

        foreach (var family in all.Where(f => isWanted(f.Name)))
        {
            sink.Begin(family);
            family.Collect(sink);
            sink.End();
        }

        sink.Complete();
    }
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
