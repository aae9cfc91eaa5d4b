using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Writes chunks to the segment files <c>000001</c>, <c>000002</c> and so on of a directory. Not thread-safe.</summary>
internal sealed class ChunkSegmentWriter(string directory, long segmentBytes) : IDisposable
{
    private FileStream? file;
    private SectionWriter? to;
    private int segment = -1;

    /// <summary>How many segments were begun before the one at hand is.</summary>
    public int Segment => segment;

    /// <summary>Where the next chunk would begin, if it fits.</summary>
    public long Position => to?.Position ?? ChunkSegments.HeaderBytes;

    /// <summary>True when a chunk of so many bytes fits into the segment at hand, or two that follow each other.</summary>
    public bool Fits(int bytes, int moreBytes = -1) => to is not null && to.Position + EntryBytes(bytes) + (moreBytes < 0 ? 0 : EntryBytes(moreBytes)) <= segmentBytes;

    /// <summary>Writes a chunk, into the next segment when it does not fit; returns its reference.</summary>
    public ulong Write(ChunkEncoding encoding, ReadOnlySpan<byte> data)
    {
        if (!Fits(data.Length))
        {
            Cut();
        }

        return WriteHere(encoding, data);
    }

    /// <summary>Writes a chunk into the segment at hand, which was begun; returns its reference.</summary>
    public ulong WriteHere(ChunkEncoding encoding, ReadOnlySpan<byte> data)
    {
        var reference = ((ulong)(uint)segment << 32) | (uint)to!.Position;
        to.UVarint((ulong)data.Length);
        to.BeginChecksum();
        to.Byte((byte)encoding);
        to.Bytes(data);
        to.EndChecksum();
        return reference;
    }

    /// <summary>Flushes the last segment to the disk.</summary>
    public void Finish()
    {
        to?.Flush();
        file?.Flush(flushToDisk: true);
        file?.Dispose();
        file = null;
        to = null;
    }

    /// <summary>Closes the segment at hand as it is.</summary>
    public void Dispose() => file?.Dispose();

    /// <summary>Ends the segment at hand and begins the next; one without a chunk goes on.</summary>
    public void Cut()
    {
        if (to?.Position == ChunkSegments.HeaderBytes)
        {
            return;
        }

        Finish();
        segment++;
        file = new FileStream(Path.Combine(directory, ChunkSegments.FileName(segment)), FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1);
        to = new SectionWriter(file);
        to.UInt32(ChunkSegments.Magic);
        to.UInt32((uint)ChunkSegments.Version << 24);
    }

    private static long EntryBytes(int data) => Varint.Length((ulong)data) + 1 + data + 4;
}
