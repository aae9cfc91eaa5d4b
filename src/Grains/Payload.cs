namespace Metrics.Grains;

/// <summary>Bytes on their way between silos, of no meaning to Orleans: written whole, read whole, and not copied within a silo. Nobody changes them.</summary>
/// <param name="bytes">The bytes.</param>
[GenerateSerializer]
[Immutable]
[Alias("metrics.payload")]
public readonly struct Payload(ReadOnlyMemory<byte> bytes)
{
    /// <summary>The bytes.</summary>
    [Id(0)]
    public ReadOnlyMemory<byte> Bytes { get; } = bytes;
}
