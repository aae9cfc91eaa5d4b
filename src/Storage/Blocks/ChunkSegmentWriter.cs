using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Writes chunks to the segment files <c>000001</c>, <c>000002</c> and so on of a directory. Not thread-safe.</summary>
internal sealed class ChunkSegmentWriter(string directory, long segmentBytes) : IDisposable
{
    private FileStream? file;
    private SectionWriter? to;
    private int segment = -1;

    /// <summary>Writes a chunk; returns its reference.</summary>
    public ulong Write(ChunkEncoding encoding, ReadOnlySpan<byte> data)
    {
        var length = Varint.Length((ulong)data.Length) + 1 + data.Length + 4;
        if (to is null || to.Position + length > segmentBytes)
        {
            Cut();
        }

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

    private void Cut()
    {
        Finish();
        segment++;
        file = new FileStream(Path.Combine(directory, ChunkSegments.FileName(segment)), FileMode.CreateNew, FileAccess.Write, FileShare.Read, 1);
        to = new SectionWriter(file);
        to.UInt32(ChunkSegments.Magic);
        to.UInt32((uint)ChunkSegments.Version << 24);
    }
}
