using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The late samples of one series in a range, as they were when a reader looked: a cut that ends meanwhile takes nothing from them.</summary>
/// <param name="chunks">XOR chunks that reach into the range; each instant is in one of them or in the rest.</param>
/// <param name="rest">What was in no chunk yet.</param>
/// <param name="range">The times wanted.</param>
internal sealed class LateSamples(byte[][] chunks, (long TimeMs, double Value)[] rest, TimeRange range)
{
    /// <summary>Appends the samples, by time.</summary>
    public void Read(SampleBuffer into)
    {
        var found = new List<(long TimeMs, double Value)>(rest);
        using var buffer = new SampleBuffer();
        foreach (var chunk in chunks)
        {
            XorChunk.Decode(chunk, range, buffer);
            for (var i = 0; i < buffer.Count; i++)
            {
                found.Add((buffer.Times[i], buffer.Values[i]));
            }

            buffer.Clear();
        }

        found.Sort(static (a, b) => a.TimeMs.CompareTo(b.TimeMs));
        foreach (var (time, value) in found)
        {
            into.Add(time, value);
        }
    }
}
