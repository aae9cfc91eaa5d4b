using System.Runtime.InteropServices;

namespace Metrics.Storage;

/// <summary>The bytes of open chunks: chains of small blocks of one size, so that chunks that grow together leave no holes behind them, as pieces that are outgrown would.</summary>
/// <remarks>
/// A block is 64 bytes, a cache line: the number of the next block (4), then data (60). Numbers are given from 1; 0 ends a chain. Only the head's writer takes and frees blocks; a reader inside a view may walk
/// a chain that still grows, since a block is linked after its bytes are in place. The first page begins small and is replaced by larger copies; those it outgrew stay, for readers in them, until all goes.
/// </remarks>
internal sealed unsafe class OpenBlocks : IDisposable
{
    public const int DataBytes = BlockBytes - LinkBytes;
    private const int BlockBytes = 64;
    private const int LinkBytes = sizeof(uint);
    private const int PageBits = 12;
    private const int FirstBlocks = 64;
    private readonly List<nint> outgrown = [];
    private nint[] pages = [];
    private uint firstBlocks;
    private uint taken = 1;
    private uint free;

    /// <summary>Bytes taken from the operating system.</summary>
    public long Bytes { get; private set; }

    /// <summary>A zeroed block that is the end of its chain.</summary>
    public uint Take()
    {
        if (free != 0)
        {
            var reused = free;
            free = NextOf(reused);
            new Span<byte>(At(reused), BlockBytes).Clear();
            return reused;
        }

        if (taken >> PageBits >= pages.Length)
        {
            var grown = new nint[Math.Max(4, pages.Length * 2)];
            pages.CopyTo(grown, 0);
            Volatile.Write(ref pages, grown);
        }

        if (taken >> PageBits == 0)
        {
            GrowFirst();
        }
        else if (pages[taken >> PageBits] == 0)
        {
            Volatile.Write(ref pages[taken >> PageBits], (nint)NativeMemory.AllocZeroed(BlockBytes << PageBits));
            Bytes += BlockBytes << PageBits;
        }

        return taken++;
    }

    /// <summary>The data of a block.</summary>
    public Span<byte> Data(uint block) => new(At(block) + LinkBytes, DataBytes);

    /// <summary>Puts a block behind another; to be called when its data is in place.</summary>
    public void Link(uint block, uint next) => Volatile.Write(ref *(uint*)At(block), next);

    /// <summary>Copies the data of a chain, as far as it reaches now, to the start of a buffer; gives the bytes copied, a multiple of <see cref="DataBytes"/>.</summary>
    public int CopyTo(uint first, Span<byte> to)
    {
        var at = 0;
        for (var block = first; block != 0 && at + DataBytes <= to.Length; block = NextOf(block))
        {
            Data(block).CopyTo(to[at..]);
            at += DataBytes;
        }

        return at;
    }

    /// <summary>Copies a chain of another head's, which does not grow meanwhile; gives the first and the last block of the copy.</summary>
    public (uint First, uint Last) CopyFrom(OpenBlocks other, uint first)
    {
        uint copied = 0, last = 0;
        for (var block = first; block != 0; block = other.NextOf(block))
        {
            var copy = Take();
            other.Data(block).CopyTo(Data(copy));
            if (last == 0)
            {
                copied = copy;
            }
            else
            {
                Link(last, copy);
            }

            last = copy;
        }

        return (copied, last);
    }

    /// <summary>Makes a chain of bytes; gives its first and last block, and the bytes in the last one.</summary>
    public (uint First, uint Last, int InLast) Fill(ReadOnlySpan<byte> bytes)
    {
        var first = Take();
        var last = first;
        while (bytes.Length > DataBytes)
        {
            bytes[..DataBytes].CopyTo(Data(last));
            bytes = bytes[DataBytes..];
            var next = Take();
            Link(last, next);
            last = next;
        }

        bytes.CopyTo(Data(last));
        return (first, last, bytes.Length);
    }

    /// <summary>Takes all blocks of a chain back.</summary>
    public void Free(uint first)
    {
        for (var block = first; block != 0;)
        {
            var next = NextOf(block);
            *(uint*)At(block) = free;
            free = block;
            block = next;
        }
    }

    public void Dispose()
    {
        foreach (var page in pages.Concat(outgrown))
        {
            NativeMemory.Free((void*)page);
        }

        outgrown.Clear();
        (pages, firstBlocks, taken, free, Bytes) = ([], 0, 1, 0, 0);
    }

    /// <summary>Sees to it that the first page has the block that is taken next.</summary>
    private void GrowFirst()
    {
        if (taken < firstBlocks)
        {
            return;
        }

        var blocks = Math.Max(FirstBlocks, firstBlocks * 4);
        var grown = (byte*)NativeMemory.AllocZeroed((nuint)(blocks * BlockBytes));
        if (firstBlocks > 0)
        {
            new ReadOnlySpan<byte>((void*)pages[0], (int)firstBlocks * BlockBytes).CopyTo(new Span<byte>(grown, (int)firstBlocks * BlockBytes));
            outgrown.Add(pages[0]);
        }

        Volatile.Write(ref pages[0], (nint)grown);
        Bytes += blocks * BlockBytes;
        firstBlocks = blocks;
    }

    private byte* At(uint block) => (byte*)Volatile.Read(ref pages)[block >> PageBits] + ((block & ((1 << PageBits) - 1)) * BlockBytes);

    /// <summary>The block behind another; 0 at the end.</summary>
    public uint NextOf(uint block) => Volatile.Read(ref *(uint*)At(block));
}
