namespace Metrics.Storage;

/// <summary>The constants of the index file; FORMAT.md beside this file draws it.</summary>
internal static class IndexFormat
{
    public const uint Magic = 0xBAAAD700;
    public const byte Version = 2;
    public const int HeaderBytes = 5;

    /// <summary>Six references of 8 bytes and a checksum.</summary>
    public const int TocBytes = (6 * 8) + 4;

    /// <summary>Series start at multiples of this; a series reference is offset / 16, which stretches 32 bits over 64 GiB.</summary>
    public const int SeriesAlignment = 16;

    /// <summary>Of the postings offset table and the symbols, one entry in so many is kept in memory.</summary>
    public const int Sampling = 32;
}
