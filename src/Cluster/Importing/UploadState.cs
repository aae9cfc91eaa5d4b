using System.Text.Json;
using System.Text.Json.Serialization;

namespace Metrics.Cluster;

/// <summary>How far the upload of a block is, in Mimir's words.</summary>
public enum UploadStage
{
    /// <summary>Nobody has begun it, or it was forgotten.</summary>
    None,

    /// <summary>Files are coming.</summary>
    Uploading,

    /// <summary>All files are there; they are checked and taken in.</summary>
    Validating,

    /// <summary>The block is the tenant's.</summary>
    Complete,

    /// <summary>It could not be taken in; it may be begun anew.</summary>
    Failed,
}

/// <summary>How far the upload of a block is.</summary>
/// <param name="Stage">How far.</param>
/// <param name="Error">Why it failed; empty otherwise.</param>
public readonly record struct UploadState(UploadStage Stage, string Error = "");

/// <summary>The object that says what became of an upload once its files were there.</summary>
/// <param name="Stage">Validating, complete or failed.</param>
/// <param name="AtMs">When that was written, Unix milliseconds; renewed while it is validated, so that a process that died is noticed.</param>
/// <param name="Error">Why it failed.</param>
internal sealed record UploadOutcome(UploadStage Stage, long AtMs, string Error = "")
{
    /// <summary>The object's bytes.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, UploadJson.Default.UploadOutcome);

    /// <summary>Reads the object.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static UploadOutcome Read(byte[] json, string name)
    {
        try
        {
            return JsonSerializer.Deserialize(json, UploadJson.Default.UploadOutcome) ?? throw new InvalidDataException($"{name}: null says nothing");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{name}: {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(UploadOutcome))]
internal sealed partial class UploadJson : JsonSerializerContext;
