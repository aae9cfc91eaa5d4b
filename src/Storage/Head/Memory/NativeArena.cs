using System.Numerics;
using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>Memory outside the garbage collector's sight, in size classes, for one head.</summary>
/// <remarks>
/// Pages, from 8 KiB for a head of a few series up to 256 KiB, are cut into pieces of four classes per power of two (16, 20 -> 32, ... rounded to 16 bytes), so a piece wastes a fifth at most; free pieces are chained through
/// their own first word. Pieces above <see cref="LargestClass"/> are allocated one by one. All memory is given back at once by <see cref="Dispose"/>. Only the head's writer allocates and frees.
/// </remarks>
internal sealed unsafe class NativeArena : IDisposable
{
    public const int LargestClass = 64 * 1024;
    private const int PageBytes = 256 * 1024;
    private const int FirstPageBytes = 8 * 1024;
    private readonly List<nint> pages = [];
    private readonly HashSet<nint> large = [];
    private readonly nint[] free = new nint[80];
    private int nextPageBytes = FirstPageBytes;
    private byte* page;
    private int pageLeft;

    /// <summary>Bytes taken from the operating system.</summary>
    public long Bytes { get; private set; }

    /// <summary>The bytes that <see cref="Allocate"/> gives for a request: at least as many, a multiple of 16.</summary>
    public static int Rounded(int bytes) => bytes > LargestClass ? bytes : SizeOf(ClassOf(bytes));

    /// <summary>Zeroed memory of <see cref="Rounded"/> bytes.</summary>
    public byte* Allocate(int bytes)
    {
        if (bytes > LargestClass)
        {
            var piece = (byte*)NativeMemory.AllocZeroed((nuint)bytes);
            large.Add((nint)piece);
            Bytes += bytes;
            return piece;
        }

        var sizeClass = ClassOf(bytes);
        var size = SizeOf(sizeClass);
        var head = (byte*)free[sizeClass];
        if (head is not null)
        {
            free[sizeClass] = *(nint*)head;
            new Span<byte>(head, size).Clear();
            return head;
        }

        if (pageLeft < size)
        {
            pageLeft = Math.Max(nextPageBytes, size);
            page = (byte*)NativeMemory.AllocZeroed((nuint)pageLeft);
            pages.Add((nint)page);
            Bytes += pageLeft;
            nextPageBytes = Math.Min(PageBytes, nextPageBytes * 2);
        }

        var taken = page;
        page += size;
        pageLeft -= size;
        return taken;
    }

    /// <summary>Takes back what <see cref="Allocate"/> gave for a request of so many bytes.</summary>
    public void Free(byte* piece, int bytes)
    {
        if (bytes > LargestClass)
        {
            if (large.Remove((nint)piece))
            {
                Bytes -= bytes;
                NativeMemory.Free(piece);
            }

            return;
        }

        var sizeClass = ClassOf(bytes);
        *(nint*)piece = free[sizeClass];
        free[sizeClass] = (nint)piece;
    }

    public void Dispose()
    {
        foreach (var p in pages.Concat(large))
        {
            NativeMemory.Free((void*)p);
        }

        pages.Clear();
        large.Clear();
        Array.Clear(free);
        (pageLeft, nextPageBytes) = (0, FirstPageBytes);
        Bytes = 0;
    }

    /// <summary>Classes 0..3 are 16, 32, 48, 64; then four per doubling.</summary>
    private static int ClassOf(int bytes)
    {
        if (bytes <= 64)
        {
            return (Math.Max(bytes, 1) - 1) / 16;
        }

        var power = 31 - BitOperations.LeadingZeroCount((uint)(bytes - 1));
        var quarter = (bytes - 1 - (1 << power)) >> (power - 2);
        return 4 + ((power - 6) * 4) + quarter;
    }

    private static int SizeOf(int sizeClass)
    {
        if (sizeClass < 4)
        {
            return (sizeClass + 1) * 16;
        }

        var power = 6 + ((sizeClass - 4) / 4);
        return (1 << power) + ((((sizeClass - 4) % 4) + 1) << (power - 2));
    }
}
