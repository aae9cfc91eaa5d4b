using Metrics.Model;
using Metrics.Wire;

namespace Metrics.EndToEnd.Programs;

/// <summary>Makes remote write 1.0 bodies, compressed.</summary>
internal static class RemoteWriteBody
{
    public static Labels Labels(params (string, string)[] pairs) => Model.Labels.Of(pairs);

    public static ReadOnlyMemory<byte> OneSampleEach(IReadOnlyList<Labels> series, long timeMs, double value) => Of(series.Select(s => (s, timeMs, value)));

    public static ReadOnlyMemory<byte> Of(IEnumerable<(Labels Labels, long TimeMs, double Value)> samples)
    {
        using var writer = new WriteRequestWriter();
        foreach (var (labels, timeMs, value) in samples)
        {
            writer.AddSeries(labels, [timeMs], [value]);
        }

        var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
        return body.AsMemory(0, SnappyEncoder.Encode(writer.Written, body));
    }
}
