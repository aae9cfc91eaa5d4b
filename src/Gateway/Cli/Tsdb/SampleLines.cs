using System.Globalization;
using System.Text;
using Metrics.Model;
using Metrics.Wire;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>Prints samples as lines of text. Not thread-safe.</summary>
internal sealed class SampleLines(TextWriter output) : IDisposable
{
    private const int FlushChars = 64 * 1024;

    private readonly StringBuilder text = new();

    /// <summary>Native histograms that had no form in OpenMetrics.</summary>
    public long HistogramsLeftOut { get; private set; }

    /// <summary>Prints a series as <c>promtool tsdb dump</c> does.</summary>
    public void Dump(Labels labels, SampleBuffer samples)
    {
        var series = Braces(labels, skipName: false, ", ");
        for (var i = 0; i < samples.Count; i++)
        {
            text.Append(series).Append(' ');
            if (samples.HasHistograms && samples.Histograms[i] is { } histogram)
            {
                text.Append(histogram);
            }
            else
            {
                Number(samples.Values[i]);
            }

            text.Append(' ').Append(samples.Times[i].ToString(CultureInfo.InvariantCulture)).Append('\n');
            FlushIfLong();
        }
    }

    /// <summary>Prints a series in OpenMetrics' text format; stale markers have no form there and are left out, as are native histograms, which are counted.</summary>
    public void OpenMetrics(Labels labels, SampleBuffer samples)
    {
        var name = labels[Labels.MetricName];
        var series = LabelsText.IsClassicMetricName(name)
            ? name + (labels.Count > 1 ? Braces(labels, skipName: true, ",") : "")
            : labels.ToString();
        for (var i = 0; i < samples.Count; i++)
        {
            if (samples.HasHistograms && samples.Histograms[i] is not null)
            {
                HistogramsLeftOut++;
                continue;
            }

            if (StaleMarker.Is(samples.Values[i]))
            {
                continue;
            }

            text.Append(series).Append(' ');
            Number(samples.Values[i]);
            text.Append(' ').Append((samples.Times[i] / 1000m).ToString("0.###", CultureInfo.InvariantCulture)).Append('\n');
            FlushIfLong();
        }
    }

    /// <summary>Prints a line of its own.</summary>
    public void Line(string line) => text.Append(line).Append('\n');

    /// <summary>Prints what is left.</summary>
    public void Dispose()
    {
        output.Write(text);
        text.Clear();
    }

    private static string Braces(Labels labels, bool skipName, string separator)
    {
        var pairs = new List<string>();
        foreach (var (name, value) in labels.AsEnumerable())
        {
            if (!skipName || name != Labels.MetricName)
            {
                pairs.Add($"{(LabelsText.IsClassicLabelName(name) ? name : LabelsText.Quote(name))}={LabelsText.Quote(value)}");
            }
        }

        return $"{{{string.Join(separator, pairs)}}}";
    }

    private void Number(double value)
    {
        Span<byte> bytes = stackalloc byte[GoFloat.MaxBytes];
        text.Append(Encoding.ASCII.GetString(bytes[..GoFloat.FormatG(value, bytes)]));
    }

    private void FlushIfLong()
    {
        if (text.Length >= FlushChars)
        {
            output.Write(text);
            text.Clear();
        }
    }
}
