namespace Metrics.Gateway.RemoteWrite;

/// <summary>How the body of a write is compressed.</summary>
internal enum WriteCompression
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>Snappy, block format.</summary>
    Snappy,

    /// <summary>gzip, one member.</summary>
    Gzip,
}
