using Metrics.Model;

namespace Metrics.PromQL.Execution;

/// <summary>Range vectors hold no stale markers; this takes them out of a buffer.</summary>
internal static class StaleRemoval
{
    /// <summary>Removes stale markers, floats and histograms alike, keeping order.</summary>
    public static void RemoveStale(this SampleBuffer samples)
    {
        var at = FirstStale(samples);
        if (at < 0)
        {
            return;
        }

        using var rest = new SampleBuffer(samples.Count - at);
        for (var i = at; i < samples.Count; i++)
        {
            if (!IsStale(samples, i))
            {
                CopyTo(samples, i, rest);
            }
        }

        samples.Truncate(at);
        for (var i = 0; i < rest.Count; i++)
        {
            CopyTo(rest, i, samples);
        }
    }

    /// <summary>Appends all samples to another buffer.</summary>
    public static void CopyTo(this SampleBuffer samples, SampleBuffer into)
    {
        for (var i = 0; i < samples.Count; i++)
        {
            CopyTo(samples, i, into);
        }
    }

    private static int FirstStale(SampleBuffer samples)
    {
        if (!samples.HasHistograms)
        {
            var values = samples.Values;
            for (var i = 0; i < values.Length; i++)
            {
                if (StaleMarker.Is(values[i]))
                {
                    return i;
                }
            }

            return -1;
        }

        for (var i = 0; i < samples.Count; i++)
        {
            if (IsStale(samples, i))
            {
                return i;
            }
        }

        return -1;
    }

    private static bool IsStale(SampleBuffer samples, int at) =>
        samples.HasHistograms && samples.Histograms[at] is { } histogram ? StaleMarker.Is(histogram.Sum) : StaleMarker.Is(samples.Values[at]);

    private static void CopyTo(SampleBuffer from, int at, SampleBuffer into)
    {
        if (from.HasHistograms && from.Histograms[at] is { } histogram)
        {
            into.Add(from.Times[at], histogram);
        }
        else
        {
            into.Add(from.Times[at], from.Values[at]);
        }

        if (!from.StartTimes.IsEmpty)
        {
            into.SetStartTime(from.StartTimes[at]);
        }
    }
}
