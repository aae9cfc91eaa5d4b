using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Metrics.Gateway.Telemetry;

/// <summary>The metrics of this process as JSON: <c>io.prometheus.client.MetricFamily</c> messages in protobuf's JSON mapping, made of the text exposition.</summary>
/// <remarks>Only what <see cref="MetricRegistry.Write"/> writes is read: families one after another, each with HELP and TYPE first, and the samples of a histogram with <c>le</c> last, ascending.</remarks>
internal static class SelfMetricsJson
{
    private const string HelpMark = "# HELP ";
    private const string TypeMark = "# TYPE ";

    /// <summary>Writes the families whose names are wanted, as an array.</summary>
    public static void Write(IBufferWriter<byte> to, MetricRegistry registry, Func<string, bool> isWanted)
    {
        var text = new ArrayBufferWriter<byte>();
        registry.Write(text, ExpositionFormat.Text);
        using var json = new Utf8JsonWriter(to);
        json.WriteStartArray();
        var (name, help, type) = ("", "", "");
        var isOpen = false;
        Histogram? histogram = null;
        foreach (var line in Encoding.UTF8.GetString(text.WrittenSpan).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith(HelpMark, StringComparison.Ordinal))
            {
                Close();
                var space = line.IndexOf(' ', HelpMark.Length);
                (name, help) = (line[HelpMark.Length..space], Unescaped(line[(space + 1)..]));
            }
            else if (line.StartsWith(TypeMark, StringComparison.Ordinal))
            {
                type = line[(line.LastIndexOf(' ') + 1)..];
            }
            else if (isWanted(name))
            {
                Open();
                Sample(line);
            }
        }

        Close();
        json.WriteEndArray();

        void Open()
        {
            if (isOpen)
            {
                return;
            }

            isOpen = true;
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("help", help);
            json.WriteString("type", type.ToUpperInvariant());
            json.WriteStartArray("metric");
        }

        void Close()
        {
            if (!isOpen)
            {
                return;
            }

            isOpen = false;
            json.WriteEndArray();
            json.WriteEndObject();
        }

        void Sample(string line)
        {
            var (suffix, labels, value) = Parse(line, name);
            if (type != "histogram")
            {
                json.WriteStartObject();
                Labels(json, labels);
                json.WriteStartObject(type);
                Number(json, "value", value);
                json.WriteEndObject();
                json.WriteEndObject();
                return;
            }

            switch (suffix)
            {
                case "_bucket":
                    histogram ??= new Histogram(labels[..^1]);
                    histogram.Buckets.Add((Float(labels[^1].Value), value));
                    break;
                case "_sum":
                    histogram!.Sum = value;
                    break;
                default:
                    Write(json, histogram!, value);
                    histogram = null;
                    break;
            }
        }
    }

    private static void Write(Utf8JsonWriter json, Histogram histogram, double count)
    {
        json.WriteStartObject();
        Labels(json, histogram.Labels);
        json.WriteStartObject("histogram");
        json.WriteString("sampleCount", count.ToString("R", CultureInfo.InvariantCulture));
        Number(json, "sampleSum", histogram.Sum);
        json.WriteStartArray("bucket");
        foreach (var (bound, below) in histogram.Buckets)
        {
            json.WriteStartObject();
            json.WriteString("cumulativeCount", below.ToString("R", CultureInfo.InvariantCulture));
            Number(json, "upperBound", bound);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Labels(Utf8JsonWriter json, IReadOnlyList<(string Name, string Value)> labels)
    {
        if (labels.Count == 0)
        {
            return;
        }

        json.WriteStartArray("label");
        foreach (var (name, value) in labels)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("value", value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>A number; what JSON has none for is text, as in protobuf's mapping.</summary>
    private static void Number(Utf8JsonWriter json, string field, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumber(field, value);
        }
        else
        {
            json.WriteString(field, double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        }
    }

    private static (string Suffix, List<(string Name, string Value)> Labels, double Value) Parse(string line, string family)
    {
        var labels = new List<(string, string)>();
        var at = line.IndexOfAny(['{', ' ']);
        var suffix = line[family.Length..at];
        if (line[at] == '{')
        {
            at++;
            while (line[at] != '}')
            {
                var equals = line.IndexOf('=', at);
                var end = equals + 2;
                while (line[end] != '"')
                {
                    end += line[end] == '\\' ? 2 : 1;
                }

                labels.Add((line[at..equals], Unescaped(line[(equals + 2)..end])));
                at = line[end + 1] == ',' ? end + 2 : end + 1;
            }

            at++;
        }

        return (suffix, labels, Float(line[(at + 1)..]));
    }

    private static double Float(string text) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        _ => double.Parse(text, CultureInfo.InvariantCulture),
    };

    private static string Unescaped(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            plain.Append(text[i] != '\\' || i + 1 == text.Length ? text[i] : text[++i] == 'n' ? '\n' : text[i]);
        }

        return plain.ToString();
    }

    /// <summary>A histogram whose samples are being read.</summary>
    private sealed class Histogram(List<(string Name, string Value)> labels)
    {
        public IReadOnlyList<(string Name, string Value)> Labels { get; } = labels;

        public List<(double Bound, double Below)> Buckets { get; } = [];

        public double Sum { get; set; }
    }
}
