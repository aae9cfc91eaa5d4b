using System.Text;
using Metrics.Model;

namespace Metrics.Rules.Groups;

/// <summary>The ticks of a group: multiples of its interval, moved by an offset that depends only on its name, so that groups spread over the interval and every owner finds the same ticks.</summary>
/// <remarks>The offset is that of Prometheus 3 (rules/group.go, EvalTimestamp, with the default label encoding), to the millisecond.</remarks>
public readonly record struct GroupSchedule
{
    private readonly long offsetMs;

    /// <summary>The schedule of a group.</summary>
    public GroupSchedule(string file, string name, long intervalMs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(intervalMs, 1);
        IntervalMs = intervalMs;
        offsetMs = (long)(HashOf(file, name) % ((ulong)intervalMs * 1_000_000) / 1_000_000);
    }

    /// <summary>The distance of ticks, milliseconds.</summary>
    public long IntervalMs { get; }

    /// <summary>The last tick at or before a time.</summary>
    public long TickAtOrBefore(long timeMs)
    {
        var since = timeMs - offsetMs;
        var rest = since % IntervalMs;
        return timeMs - (rest < 0 ? rest + IntervalMs : rest);
    }

    /// <summary>The first tick at or after a time.</summary>
    public long TickAtOrAfter(long timeMs)
    {
        var before = TickAtOrBefore(timeMs);
        return before == timeMs ? before : before + IntervalMs;
    }

    private static ulong HashOf(string file, string name)
    {
        var bytes = new List<byte>();
        foreach (var text in new[] { "file", file, "name", name })
        {
            var utf8 = Encoding.UTF8.GetBytes(text);
            if (utf8.Length < 255)
            {
                bytes.Add((byte)utf8.Length);
            }
            else
            {
                bytes.AddRange([255, (byte)utf8.Length, (byte)(utf8.Length >> 8), (byte)(utf8.Length >> 16)]);
            }

            bytes.AddRange(utf8);
        }

        return SeriesHash.Of(bytes.ToArray());
    }
}
