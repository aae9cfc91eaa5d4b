namespace Metrics.Wire;

/// <summary>What is wrong with bytes that came over the wire.</summary>
public enum WireError : byte
{
    /// <summary>The input ends inside an element, or a declared length reaches past the end of what holds it.</summary>
    Truncated,

    /// <summary>A varint does not fit its type.</summary>
    MalformedVarint,

    /// <summary>A declared size exceeds the caller's limit, or more than the input could possibly expand to.</summary>
    TooLarge,

    /// <summary>The input yields more or less than it declared.</summary>
    LengthMismatch,

    /// <summary>A copy or a reference points outside of what exists.</summary>
    BadReference,

    /// <summary>A protobuf tag has field number 0, an unknown wire type, or another wire type than its field is defined with.</summary>
    BadTag,

    /// <summary>Nested deeper than any message of this protocol is.</summary>
    NestedTooDeep,
}

/// <summary>Input that is not what its format says it should be. The sender must not retry it unchanged.</summary>
public sealed class WireFormatException : FormatException
{
    /// <summary>Makes the exception; the offset becomes part of the message.</summary>
    public WireFormatException(WireError error, long offset, string detail)
        : base($"{detail} at byte {offset}")
    {
        Error = error;
        Offset = offset;
    }

    /// <summary>The kind of defect.</summary>
    public WireError Error { get; }

    /// <summary>Where in the decoded body, or in the compressed block, the defect was found.</summary>
    public long Offset { get; }
}
