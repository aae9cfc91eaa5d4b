namespace Metrics.Storage;

/// <summary>Keeps memory that readers may still look at from being reused: epoch-based reclamation.</summary>
/// <remarks>
/// After Fraser, "Practical lock-freedom", 2004, 5.2.3, simplified for one writer. Each open view holds the epoch at which it was opened; the writer retires a piece with the
/// current epoch, and frees it when no open view is that old. Views are opened and closed under a lock, once per query; appends take none.
/// </remarks>
internal sealed unsafe class ViewEpochs(NativeArena arena, OpenBlocks open)
{
    private const int ReclaimEvery = 256;

    /// <summary>In place of a piece's bytes: it is no piece of the arena but the first block of a chain.</summary>
    private const int OpenChain = -1;
    private readonly Lock gate = new();
    private readonly SortedDictionary<long, int> views = [];
    private readonly Queue<(nint Piece, int Bytes, long Epoch)> retired = new();
    private readonly Queue<(ChunkFile File, long Epoch)> retiredFiles = new();
    private long epoch;
    private int sinceReclaim;
    private bool closing;

    /// <summary>Opens a view; gives its epoch for <see cref="Close"/>. False when the head is being closed.</summary>
    public bool TryOpen(out long opened)
    {
        lock (gate)
        {
            opened = ++epoch;
            if (closing)
            {
                return false;
            }

            views[opened] = 1;
            return true;
        }
    }

    /// <summary>Closes a view; true when it was the last one and the head is being closed, so that its memory must go now.</summary>
    public bool Close(long opened)
    {
        lock (gate)
        {
            views.Remove(opened);
            return closing && views.Count == 0;
        }
    }

    /// <summary>Takes no more views; true when none is open, so that the memory can go at once.</summary>
    public bool BeginClose()
    {
        lock (gate)
        {
            if (closing)
            {
                return false;
            }

            closing = true;
            return views.Count == 0;
        }
    }

    /// <summary>Lets go of the files given up: the head is closed.</summary>
    public void ReleaseFiles()
    {
        while (retiredFiles.TryDequeue(out var file))
        {
            file.File.Release();
        }
    }

    /// <summary>Gives a piece up; it is reused when no view can see it. Only the writer calls this.</summary>
    public void Retire(byte* piece, int bytes)
    {
        retired.Enqueue(((nint)piece, bytes, Volatile.Read(ref epoch)));
        if (++sinceReclaim >= ReclaimEvery)
        {
            Reclaim();
        }
    }

    /// <summary>Gives the blocks of an open chunk up, as <see cref="Retire(byte*, int)"/> does a piece.</summary>
    public void RetireOpen(uint first) => Retire((byte*)first, OpenChain);

    /// <summary>Gives a file of chunks up; it is let go of when no view can see it. Only the writer calls this.</summary>
    public void Retire(ChunkFile file) => retiredFiles.Enqueue((file, Volatile.Read(ref epoch)));

    /// <summary>Frees what no view can see any more. Only the writer calls this.</summary>
    public void Reclaim()
    {
        sinceReclaim = 0;
        long oldest;
        lock (gate)
        {
            oldest = views.Count == 0 ? long.MaxValue : views.First().Key;
        }

        // A view of epoch e may see what was retired at e or later: its opening made the epoch e, and the writer may have read e before it retired the piece.
        while (retired.TryPeek(out var next) && next.Epoch < oldest)
        {
            retired.Dequeue();
            if (next.Bytes == OpenChain)
            {
                open.Free((uint)next.Piece);
            }
            else
            {
                arena.Free((byte*)next.Piece, next.Bytes);
            }
        }

        while (retiredFiles.TryPeek(out var next) && next.Epoch < oldest)
        {
            retiredFiles.Dequeue();
            next.File.Release();
        }
    }
}
