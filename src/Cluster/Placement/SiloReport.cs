using System.Text.Json;
using System.Text.Json.Serialization;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What a silo says to the others every few seconds: by this they place, balance and show shards. What is in it may be some seconds old, and nothing depends on its truth but time.</summary>
/// <param name="Node">Its disk; empty for one that holds no shards.</param>
/// <param name="IsLeaving">True when it gives its shards away and gets none.</param>
/// <param name="Cpu">The share of its processors in use, 0 to 1.</param>
/// <param name="Memory">The share of its memory in use, 0 to 1.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Shards">The shards that it owns.</param>
/// <param name="Changes">The splits and merges that it runs; null for none.</param>
public sealed record SiloReport(string Node, bool IsLeaving, double Cpu, double Memory, long MemoryBytes, IReadOnlyList<ShardReport> Shards, IReadOnlyList<ShardChangeStatus>? Changes = null)
{
    /// <summary>The largest report read: a hundred thousand shards.</summary>
    private const int MaxBytes = 64 * 1024 * 1024;

    /// <summary>True while it is ready to evaluate its share of the rules.</summary>
    public bool EvaluatesRules { get; init; }

    /// <summary>What tenants that have a rate send it a second, by name; null for nothing.</summary>
    public IReadOnlyDictionary<string, double>? Demands { get; init; }

    /// <summary>The shards that it is handing over; null for none.</summary>
    public IReadOnlyList<ShardMoveReport>? Moves { get; init; }

    /// <summary>Since when it has nothing left to do but to leave; null before.</summary>
    public DateTimeOffset? EndsSince { get; init; }

    /// <summary>Its load as placement sees it.</summary>
    [JsonIgnore]
    public SiloLoad Load => new(Shards.Sum(static s => s.Weight), Cpu, Memory);

    /// <summary>The bytes of the report.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, SiloReportJson.Default.SiloReport);

    /// <summary>Reads a report.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static SiloReport Read(ReadOnlySpan<byte> json)
    {
        if (json.Length > MaxBytes)
        {
            throw new InvalidDataException($"a silo's report of {json.Length} bytes; at most {MaxBytes} are read");
        }

        try
        {
            return JsonSerializer.Deserialize(json, SiloReportJson.Default.SiloReport) ?? throw new InvalidDataException("a silo's report that is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"no silo's report: {e.Message}", e);
        }
    }
}

/// <summary>A shard in a silo's report.</summary>
/// <param name="Tenant">Its tenant.</param>
/// <param name="Range">Its hash range.</param>
/// <param name="State">Whether it serves.</param>
/// <param name="Epoch">The owner's epoch.</param>
/// <param name="NextRecord">The number that the next record will have.</param>
/// <param name="Committed">Records before this are acknowledged.</param>
/// <param name="Followers">The ensemble, the owner's own replica included.</param>
/// <param name="ReplayedBytes">How much was replayed.</param>
/// <param name="ReplayBytes">How much there is to replay.</param>
/// <param name="HeadSeries">Series in its head.</param>
/// <param name="Blocks">Its blocks.</param>
/// <param name="LogBytes">The length of its log.</param>
/// <param name="SamplesPerSecond">Samples it takes.</param>
/// <param name="SteadySamplesPerSecond">The same, averaged over some minutes.</param>
/// <param name="ObservedSeconds">For how long it was observed for that.</param>
public sealed record ShardReport(
    string Tenant, string Range, ShardState State, long Epoch, long NextRecord, long Committed, IReadOnlyList<FollowerReport> Followers, long ReplayedBytes, long ReplayBytes, long HeadSeries, int Blocks,
    long LogBytes, double SamplesPerSecond, double SteadySamplesPerSecond = 0, double ObservedSeconds = 0)
{
    /// <summary>What it costs its owner: by the steady rate, since what a burst of some seconds weighs is gone before a hand-over is done.</summary>
    [JsonIgnore]
    public double Weight => ShardWeight.Of(HeadSeries, SteadySamplesPerSecond);

    /// <summary>Which shard; false when the report names none that can be.</summary>
    public bool TryGetShard(out ShardId shard)
    {
        shard = default;
        if (!TenantId.TryParse(Tenant, out var tenant, out _))
        {
            return false;
        }

        try
        {
            shard = new ShardId(tenant, HashRange.Parse(Range));
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}

/// <summary>A replica in a silo's report.</summary>
/// <param name="Node">Its node.</param>
/// <param name="Lag">Records that it has not acknowledged yet.</param>
/// <param name="IsWhole">True when it holds all that the log needs.</param>
/// <param name="Lost">Why it is to be replaced, or null.</param>
public sealed record FollowerReport(string Node, long Lag, bool IsWhole, string? Lost);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(SiloReport))]
internal sealed partial class SiloReportJson : JsonSerializerContext;
