using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace Metrics.Cluster;

/// <summary>Metadata of one tenant's metrics, kept in memory and in <c>metadata.jsonl</c>, one declaration a line, so that a restart still has it.</summary>
/// <remarks>
/// Bounded: declarations beyond <see cref="MaxBytes"/> of text or <see cref="MaxPerFamily"/> for one family are not kept; long texts are cut.
/// A line is written when a declaration is new, so the file is bounded too. A torn last line, left by a crash, is dropped. Metadata is advice for
/// people: it is not flushed to disk with the request that brought it. Thread-safe.
/// </remarks>
internal sealed class TenantMetadata : IMetricMetadata, IDisposable
{
    /// <summary>The most text kept, in characters: 16 Mi, some hundred thousand families.</summary>
    public const int MaxBytes = 16 << 20;

    /// <summary>The most declarations kept of one family; more mean that senders make them up.</summary>
    public const int MaxPerFamily = 16;

    private const int MaxText = 4096;
    private const int EntryOverhead = 64;

    private readonly ConcurrentDictionary<string, MetricMetadata[]> families = new(StringComparer.Ordinal);
    private readonly Lock writing = new();
    private readonly FileStream file;
    private long bytes;

    private TenantMetadata(FileStream file) => this.file = file;

    /// <summary>Opens the store of a tenant's folder.</summary>
    public static TenantMetadata Open(string folder)
    {
        var path = Path.Combine(folder, "metadata.jsonl");
        var store = new TenantMetadata(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read));
        try
        {
            store.Load();
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Put(string family, MetricMetadata metadata)
    {
        // Fast path: senders repeat what they said.
        if (families.TryGetValue(family, out var known) && Array.IndexOf(known, metadata) >= 0)
        {
            return;
        }

        var cut = new MetricMetadata(Cut(metadata.Type), Cut(metadata.Help), Cut(metadata.Unit));
        lock (writing)
        {
            if (family.Length is > 0 and <= MaxText && Keep(family, cut))
            {
                file.Write(JsonSerializer.SerializeToUtf8Bytes(new Line(family, cut.Type, cut.Help, cut.Unit), JsonSerializerOptions.Web));
                file.WriteByte((byte)'\n');
                file.Flush();
            }
        }
    }

    /// <inheritdoc/>
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

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (writing)
        {
            file.Dispose();
        }
    }

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
        families[family] = [.. known, metadata];
        return true;
    }

    private void Load()
    {
        var complete = 0L;
        var reader = new StreamReader(file, Encoding.UTF8, leaveOpen: true);
        using (reader)
        {
            while (reader.ReadLine() is { } text)
            {
                var ends = complete + Encoding.UTF8.GetByteCount(text) + 1;
                if (ends > file.Length || !TryParse(text, out var line))
                {
                    // What a crash left of the last line. Whatever follows can't be trusted; senders will say it again.
                    break;
                }

                complete = ends;
                Keep(line.Family, new MetricMetadata(line.Type, line.Help, line.Unit));
            }
        }

        file.SetLength(complete);
        file.Position = complete;
    }

    private static bool TryParse(string text, out Line line)
    {
        try
        {
            var parsed = JsonSerializer.Deserialize<Line>(text, JsonSerializerOptions.Web);
            line = parsed!;
            return parsed is { Family: not null, Type: not null, Help: not null, Unit: not null };
        }
        catch (JsonException)
        {
            line = null!;
            return false;
        }
    }

    private sealed record Line(string Family, string Type, string Help, string Unit);
}
