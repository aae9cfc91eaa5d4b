using System.Buffers.Binary;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>The deletions of a block that are not yet carried out: per series, the times whose samples are gone. Immutable.</summary>
public sealed class Tombstones
{
    /// <summary>The file's name inside a block.</summary>
    public const string FileName = "tombstones";

    /// <summary>Nothing deleted.</summary>
    public static readonly Tombstones None = new([]);

    private const uint Magic = 0x0130BA30;
    private const byte Version = 1;
    private readonly Dictionary<uint, TimeRange[]> ranges;

    private Tombstones(Dictionary<uint, TimeRange[]> ranges) => this.ranges = ranges;

    /// <summary>How many deleted ranges there are.</summary>
    public int Count => ranges.Values.Sum(r => r.Length);

    /// <summary>The references of series with deletions, in any order.</summary>
    public IReadOnlyCollection<uint> Series => ranges.Keys;

    /// <summary>Makes deletions; ranges of a series that touch or overlap become one.</summary>
    public static Tombstones Of(IEnumerable<(uint Series, TimeRange Range)> deletions)
    {
        var merged = new Dictionary<uint, TimeRange[]>();
        foreach (var series in deletions.GroupBy(d => d.Series))
        {
            merged[series.Key] = Merge(series.Select(d => d.Range).Where(r => !r.IsEmpty).OrderBy(r => r.MinMs));
        }

        return new Tombstones(merged);
    }

    /// <summary>The deleted ranges of a series, ascending and apart; empty when it has none.</summary>
    public ReadOnlySpan<TimeRange> Of(uint series) => ranges.TryGetValue(series, out var found) ? found : default;

    /// <summary>True when every instant of a range is deleted.</summary>
    public bool Covers(uint series, TimeRange range)
    {
        foreach (var deleted in Of(series))
        {
            if (deleted.Covers(range))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the file of a block; a missing file means no deletions.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    internal static Tombstones Read(IBlockFiles files)
    {
        using var file = files.Open(FileName);
        if (file is null)
        {
            return None;
        }

        var path = file.Name;
        var bytes = file.Range(0, (int)Math.Min(file.Length, int.MaxValue)).ToArray();
        if (bytes.Length < 9)
        {
            BlockDamage.Throw(path, bytes.Length, "a tombstones file has at least 9 bytes");
        }

        var reader = new SpanReader(bytes.AsSpan(0, bytes.Length - 4), path, 0);
        if (reader.UInt32() != Magic)
        {
            BlockDamage.Throw(path, 0, "wrong magic number");
        }

        if (reader.Byte() != Version)
        {
            BlockDamage.Throw(path, 4, $"tombstones version is {bytes[4]}, only {Version} is read");
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(bytes.Length - 4)) != Crc32C.Of(bytes.AsSpan(5, bytes.Length - 9)))
        {
            BlockDamage.Throw(path, bytes.Length - 4, "checksum does not match");
        }

        var deletions = new List<(uint, TimeRange)>();
        while (!reader.AtEnd)
        {
            var at = reader.Offset;
            var series = reader.UVarint();
            if (series > uint.MaxValue)
            {
                BlockDamage.Throw(path, at, $"series reference {series} exceeds 32 bits");
            }

            deletions.Add(((uint)series, new TimeRange(reader.SVarint(), reader.SVarint())));
        }

        return Of(deletions);
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        using var bytes = new MemoryStream();
        var to = new SectionWriter(bytes);
        to.UInt32(Magic);
        to.Byte(Version);
        to.BeginChecksum();
        foreach (var (series, deleted) in ranges.OrderBy(r => r.Key))
        {
            foreach (var range in deleted)
            {
                to.UVarint(series);
                to.SVarint(range.MinMs);
                to.SVarint(range.MaxMs);
            }
        }

        to.EndChecksum();
        to.Flush();
        return bytes.ToArray();
    }

    private static TimeRange[] Merge(IEnumerable<TimeRange> ascending)
    {
        var merged = new List<TimeRange>();
        foreach (var range in ascending)
        {
            // Subtracting cannot overflow: a range that starts at the lowest instant is the first.
            if (merged.Count > 0 && (range.MinMs <= merged[^1].MaxMs || range.MinMs - 1 == merged[^1].MaxMs))
            {
                merged[^1] = new TimeRange(merged[^1].MinMs, Math.Max(merged[^1].MaxMs, range.MaxMs));
            }
            else
            {
                merged.Add(range);
            }
        }

        return [.. merged];
    }
}
