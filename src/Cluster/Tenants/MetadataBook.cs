using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Metrics.Cluster;

/// <summary>Metadata of one tenant's metrics, in memory; as lines of JSON where it must travel or stay, one declaration a line. Thread-safe.</summary>
/// <remarks>Bounded: declarations beyond <see cref="MaxBytes"/> of text or <see cref="MaxPerFamily"/> for one family are not kept; long texts are cut.</remarks>
public sealed class MetadataBook
{
    /// <summary>The most text kept, in characters: 16 Mi, some hundred thousand families.</summary>
    public const int MaxBytes = 16 << 20;

    /// <summary>The most declarations kept of one family; more mean that senders make them up.</summary>
    public const int MaxPerFamily = 16;

    private const int MaxText = 4096;
    private const int EntryOverhead = 64;

    private readonly ConcurrentDictionary<string, MetricMetadata[]> families = new(StringComparer.Ordinal);
    private readonly Lock writing = new();
    private long bytes;

    /// <summary>Rises with each declaration that is kept.</summary>
    public long Version { get; private set; }

    /// <summary>Notes a declaration; true when it is new and kept, and then <paramref name="line"/> is its line, without an end of line.</summary>
    public bool TryPut(string family, MetricMetadata metadata, [NotNullWhen(true)] out byte[]? line)
    {
        line = null;

        // Fast path: senders repeat what they said.
        if (families.TryGetValue(family, out var known) && Array.IndexOf(known, metadata) >= 0)
        {
            return false;
        }

        var cut = new MetricMetadata(Cut(metadata.Type), Cut(metadata.Help), Cut(metadata.Unit));
        lock (writing)
        {
            if (family.Length is > 0 and <= MaxText && Keep(family, cut))
            {
                line = LineOf(family, cut);
            }
        }

        return line is not null;
    }

    /// <summary>Notes a line; false for what is none, true for one that is known as well.</summary>
    public bool TryPutLine(ReadOnlySpan<byte> line)
    {
        try
        {
            if (JsonSerializer.Deserialize<Line>(line, JsonSerializerOptions.Web) is { Family: not null, Type: not null, Help: not null, Unit: not null } read)
            {
                TryPut(read.Family, new MetricMetadata(read.Type, read.Help, read.Unit), out _);
                return true;
            }
        }
        catch (JsonException)
        {
            return false;
        }

        return false;
    }

    /// <summary>Notes lines, each with its end of line, and stops at what is none.</summary>
    /// <returns>The bytes of the lines that were read.</returns>
    public int PutLines(ReadOnlySpan<byte> lines)
    {
        var read = 0;
        for (int length; (length = lines[read..].IndexOf((byte)'\n')) >= 0 && TryPutLine(lines.Slice(read, length));)
        {
            read += length + 1;
        }

        return read;
    }

    /// <summary>All declarations as lines, each with its end of line.</summary>
    public byte[] ToLines()
    {
        var to = new ArrayBufferWriter<byte>();
        foreach (var (family, entries) in families)
        {
            foreach (var entry in entries)
            {
                to.Write(LineOf(family, entry));
                to.Write("\n"u8);
            }
        }

        return to.WrittenSpan.ToArray();
    }

    /// <summary>See <see cref="IMetricMetadata.Get"/>.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> Get(string? family, int limit, int limitPerFamily)
    {
        var found = new SortedDictionary<string, IReadOnlyList<MetricMetadata>>(StringComparer.Ordinal);
        if (family is not null)
        {
            if (families.TryGetValue(family, out var one))
            {
                found[family] = First(one, limitPerFamily);
            }

            return found;
        }

        foreach (var (name, entries) in families)
        {
            if (limit > 0 && found.Count >= limit)
            {
                break;
            }

            found[name] = First(entries, limitPerFamily);
        }

        return found;
    }

    private static byte[] LineOf(string family, MetricMetadata metadata) =>
        JsonSerializer.SerializeToUtf8Bytes(new Line(family, metadata.Type, metadata.Help, metadata.Unit), JsonSerializerOptions.Web);

    private static MetricMetadata[] First(MetricMetadata[] entries, int limit) => limit > 0 && limit < entries.Length ? entries[..limit] : entries;

    private static string Cut(string text) => text.Length <= MaxText ? text : text[..(char.IsHighSurrogate(text[MaxText - 1]) ? MaxText - 1 : MaxText)];

    private bool Keep(string family, MetricMetadata metadata)
    {
        var size = family.Length + metadata.Type.Length + metadata.Help.Length + metadata.Unit.Length + EntryOverhead;
        var known = families.GetValueOrDefault(family, []);
        if (bytes + size > MaxBytes || known.Length >= MaxPerFamily || Array.IndexOf(known, metadata) >= 0)
        {
            return false;
        }

        bytes += size;
        Version++;
        families[family] = [.. known, metadata];
        return true;
    }

    private sealed record Line(string Family, string Type, string Help, string Unit);
}
