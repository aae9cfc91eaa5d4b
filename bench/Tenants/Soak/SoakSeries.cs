using System.Text;
using Metrics.Wire;

namespace Metrics.TenantBench;

/// <summary>The series of a tenant whose pods live ten minutes: each second round of scrapes replaces some. Values tell their series and time, so that nothing is constant.</summary>
internal sealed class SoakSeries(int count, int seed)
{
    /// <summary>Series of a pod.</summary>
    private const int PerPod = 50;

    private const long PodLifeMs = 600_000;

    /// <summary>One scrape as bodies of a thousand samples.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Bodies(long timeMs)
    {
        const int PerBody = 1000;
        using var writer = new WriteRequestWriter();
        for (var from = 0; from < count; from += PerBody)
        {
            writer.Clear();
            for (var i = from; i < Math.Min(count, from + PerBody); i++)
            {
                Write(writer, i, timeMs);
            }

            var body = new byte[SnappyEncoder.MaxEncodedLength(writer.Written.Length)];
            yield return body.AsMemory(0, SnappyEncoder.Encode(writer.Written, body));
        }
    }

    /// <summary>The pod that a place had a generation before the one at a time.</summary>
    public static string RetiredPod(int place, long timeMs) => Pod(place, Generation(place, timeMs) - 1);

    private static long Generation(int place, long timeMs) => (timeMs + (place * 7919L * 1000 % PodLifeMs)) / PodLifeMs;

    private static string Pod(int place, long generation) => $"pod-{place}-{generation:x}";

    private void Write(WriteRequestWriter writer, int number, long timeMs)
    {
        var place = number / PerPod;
        var metric = number % PerPod;
        var generation = Generation(place, timeMs);
        writer.BeginSeries();
        writer.AddLabel("__name__"u8, Encoding.ASCII.GetBytes(metric % 2 == 0 ? $"requests_{metric}_total" : $"queue_{metric}_length"));
        writer.AddLabel("app"u8, Encoding.ASCII.GetBytes($"app-{place % 10}"));
        writer.AddLabel("pod"u8, Encoding.ASCII.GetBytes(Pod(place, generation)));
        writer.AddSample(timeMs, metric % 2 == 0 ? (timeMs % PodLifeMs / 1000.0 * (metric + 1)) + seed : Math.Round(100 * Math.Sin((timeMs / 60_000.0) + number), 1));
        writer.EndSeries();
    }
}
