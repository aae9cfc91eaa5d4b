using System.Buffers;

namespace Metrics.Storage;

/// <summary>Byte strings one behind the other in pooled pages, which stay where they are: for labels that a query looks at and that would be an object each. One writer; not while others read.</summary>
internal sealed class PooledPages : IDisposable
{
    private const int FirstPageBytes = 16 * 1024;
    private const int PageBytesMax = 1024 * 1024;

    private readonly List<byte[]> pages = [];
    private int used;

    /// <summary>The bytes at a place.</summary>
    public ReadOnlySpan<byte> this[Place place] => pages[place.Page].AsSpan(place.Start, place.Length);

    /// <summary>Copies bytes; gives their place.</summary>
    public Place Add(ReadOnlySpan<byte> bytes)
    {
        if (pages.Count == 0 || pages[^1].Length - used < bytes.Length)
        {
            var room = pages.Count == 0 ? FirstPageBytes : Math.Min(PageBytesMax, 2 * pages[^1].Length);
            pages.Add(ArrayPool<byte>.Shared.Rent(Math.Max(room, bytes.Length)));
            used = 0;
        }

        bytes.CopyTo(pages[^1].AsSpan(used));
        used += bytes.Length;
        return new Place(pages.Count - 1, used - bytes.Length, bytes.Length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var page in pages)
        {
            ArrayPool<byte>.Shared.Return(page);
        }

        pages.Clear();
    }

    /// <summary>Where bytes lie.</summary>
    internal readonly record struct Place(int Page, int Start, int Length);
}
