namespace Metrics.Storage;

/// <summary>A set of the pages of a file, one bit each. Every operation is atomic and a full fence.</summary>
internal sealed class PageSet(long pages)
{
    private readonly int[] words = new int[(pages + 31) / 32];

    /// <summary>True when a page is in.</summary>
    public bool Has(long page) => (Volatile.Read(ref words[page >> 5]) & Bit(page)) != 0;

    /// <summary>Puts a page in; false when it was.</summary>
    public bool Add(long page) => (Interlocked.Or(ref words[page >> 5], Bit(page)) & Bit(page)) == 0;

    /// <summary>Takes a page out; false when it was not in.</summary>
    public bool Remove(long page) => (Interlocked.And(ref words[page >> 5], ~Bit(page)) & Bit(page)) != 0;

    private static int Bit(long page) => 1 << (int)(page & 31);
}
