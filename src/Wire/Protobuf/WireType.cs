namespace Metrics.Wire;

/// <summary>How a protobuf field is laid out: the low three bits of its tag. Groups (3 and 4) are not taken.</summary>
public enum WireType : byte
{
    /// <summary>A varint.</summary>
    Varint = 0,

    /// <summary>Eight bytes, little-endian.</summary>
    Fixed64 = 1,

    /// <summary>A varint length, then so many bytes.</summary>
    Bytes = 2,

    /// <summary>Four bytes, little-endian.</summary>
    Fixed32 = 5,
}
