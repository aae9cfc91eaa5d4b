using System.Buffers;
using System.Text;
using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Wire;

namespace Metrics.Gateway.TextImport;

/// <summary>Walks a request in the text format into the shards' batches. For one request; not thread-safe.</summary>
/// <remarks>A line that is wrong is counted, and the rest is taken.</remarks>
/// <param name="isOpenMetrics">Whether it is OpenMetrics.</param>
/// <param name="extraLabels">Labels for every series, in place of its own of the same names.</param>
/// <param name="defaultTimeMs">The time of samples that have none.</param>
internal sealed class TextWrite(bool isOpenMetrics, IReadOnlyList<(byte[] Name, byte[] Value)> extraLabels, long defaultTimeMs)
{
    private readonly LabelGathering labels = new();
    private readonly ArrayBufferWriter<byte> raw = new(1024);
    private readonly ArrayBufferWriter<byte> text = new(1024);
    private readonly ArrayBufferWriter<byte> metric = new(256);
    private readonly Dictionary<string, MetricMetadata> families = new(StringComparer.Ordinal);

    /// <summary>Lines that were wrong.</summary>
    public int BadLines { get; private set; }

    /// <summary>What was wrong with the first of them, with its number; empty when none was.</summary>
    public string FirstError { get; private set; } = "";

    /// <summary>Reads a message; see <see cref="WriteReader"/>.</summary>
    public int Read(ReadOnlySpan<byte> message, WriteSink sink, RequestLoad load)
    {
        var series = 0;
        (BadLines, FirstError) = (0, "");
        families.Clear();
        var reader = new ExpositionReader(message, isOpenMetrics);
        for (var part = reader.Read(); part != ExpositionPart.End && !sink.IsShut; part = reader.Read())
        {
            if (part != ExpositionPart.Sample)
            {
                Describe(part, reader.Name, reader.Text, load);
                continue;
            }

            if ((reader.Error ?? Gather(reader.Name, reader.Labels)) is { } error)
            {
                FirstError = BadLines++ == 0 ? $"line {reader.Line}: {error}" : FirstError;
                continue;
            }

            load.AddSamples(1);
            labels.WriteTo(raw, metric.WrittenSpan, default, default);
            load.AddLabels(raw.WrittenCount);
            sink.BeginSeries(raw.WrittenSpan);
            sink.Add(reader.TimeMs ?? defaultTimeMs, reader.Value);
            series++;
        }

        foreach (var (family, about) in families)
        {
            sink.DescribeAlone(family, about);
        }

        return series;
    }

    /// <summary>Gathers the labels of a sample; gives what is wrong with them, or null.</summary>
    private string? Gather(ReadOnlySpan<byte> name, ExpositionLabels own)
    {
        labels.Clear();
        metric.ResetWrittenCount();
        metric.Write(name);
        while (own.MoveNext())
        {
            text.ResetWrittenCount();
            var span = text.GetSpan(own.Name.Length + own.Value.Length);
            var nameLength = ExpositionLabels.Unescape(own.Name, span);
            var value = span.Slice(nameLength, ExpositionLabels.Unescape(own.Value, span[nameLength..]));
            if (span[..nameLength].SequenceEqual("__name__"u8))
            {
                if (metric.WrittenCount == 0)
                {
                    metric.Write(value);
                }

                continue;
            }

            labels.Add(LabelRank.Attribute, span[..nameLength], value);
        }

        foreach (var (extraName, extraValue) in extraLabels)
        {
            labels.Add(LabelRank.Own, extraName, extraValue);
        }

        labels.Settle();
        return own.IsBroken ? "labels that are none" : metric.WrittenCount == 0 ? "no name" : null;
    }

    /// <summary>Notes what a comment says of a family, beside what others say of it.</summary>
    private void Describe(ExpositionPart part, ReadOnlySpan<byte> name, ReadOnlySpan<byte> about, RequestLoad load)
    {
        load.AddLabels(name.Length + about.Length);
        var family = Encoding.UTF8.GetString(name);
        text.ResetWrittenCount();
        var said = text.GetSpan(about.Length)[..about.Length];
        said = said[..ExpositionLabels.Unescape(about, said)];
        var known = families.TryGetValue(family, out var before) ? before : new MetricMetadata("unknown", "", "");
        families[family] = part switch
        {
            ExpositionPart.Type => known with { Type = TypeOf(Encoding.UTF8.GetString(said)) },
            ExpositionPart.Help => known with { Help = Encoding.UTF8.GetString(said) },
            _ => known with { Unit = Encoding.UTF8.GetString(said) },
        };
    }

    private static string TypeOf(string said) => said is "counter" or "gauge" or "histogram" or "gaugehistogram" or "summary" or "info" or "stateset" ? said : "unknown";
}
