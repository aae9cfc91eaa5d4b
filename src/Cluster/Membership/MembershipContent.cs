using System.Text.Json;
using System.Text.Json.Serialization;

namespace Metrics.Cluster;

/// <summary>The membership table's object: one JSON document, replaced whole. Immutable.</summary>
internal sealed record MembershipContent
{
    /// <summary>How many stamps of earlier swaps are kept: enough that a swap in doubt can be found after as many others.</summary>
    private const int KeptStamps = 64;

    /// <summary>The version of the format; 1.</summary>
    public int Format { get; init; } = 1;

    /// <summary>Rises with each swap.</summary>
    public int Version { get; init; }

    /// <summary>The rows, ascending by address.</summary>
    public IReadOnlyList<MemberRow> Rows { get; init; } = [];

    /// <summary>Random names of the last swaps, the latest first: by these, one whose answer was lost is found again. The first also makes contents that are equal otherwise different.</summary>
    public IReadOnlyList<SwapStamp> Stamps { get; init; } = [];

    /// <summary>A cluster without silos.</summary>
    public static MembershipContent Empty { get; } = new();

    /// <summary>The row of a silo, or null.</summary>
    public MemberRow? Find(string address) => Rows.FirstOrDefault(r => r.Member.Address == address);

    /// <summary>The table after a swap.</summary>
    public MembershipContent Swapped(int version, string stamp, IEnumerable<MemberRow> rows) => this with
    {
        Version = version,
        Rows = [.. rows.OrderBy(r => r.Member.Address, StringComparer.Ordinal)],
        Stamps = [new SwapStamp(version, stamp), .. Stamps.Take(KeptStamps - 1)],
    };

    /// <summary>Whether a swap took place: true or false when that can be told, null when it is too long ago.</summary>
    public bool? Has(int version, string stamp) =>
        Stamps.Any(s => s.Stamp == stamp) ? true
        : Stamps.Count < KeptStamps || Stamps[^1].Version < version ? false
        : null;

    /// <summary>The object's bytes.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, MembershipJson.Default.MembershipContent);

    /// <summary>Reads the object.</summary>
    /// <exception cref="InvalidDataException">The bytes are no table that this version knows; the message names the source.</exception>
    public static MembershipContent Read(ReadOnlySpan<byte> json, string source)
    {
        try
        {
            var content = JsonSerializer.Deserialize(json, MembershipJson.Default.MembershipContent) ?? throw new InvalidDataException($"{source}: the membership table is null");
            return content.Format == 1 ? content : throw new InvalidDataException($"{source}: a membership table of format {content.Format}; this program knows 1");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{source}: no membership table: {e.Message}", e);
        }
    }
}

/// <summary>A row and what names its present content.</summary>
/// <param name="Member">The silo.</param>
/// <param name="Etag">Another one after each change of the row.</param>
internal sealed record MemberRow(Member Member, string Etag);

/// <summary>A swap that took place.</summary>
/// <param name="Version">The table's version after it.</param>
/// <param name="Stamp">Its random name.</param>
internal readonly record struct SwapStamp(int Version, string Stamp);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = false)]
[JsonSerializable(typeof(MembershipContent))]
internal sealed partial class MembershipJson : JsonSerializerContext;
