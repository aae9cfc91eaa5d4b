using Metrics.Model;
namespace Metrics.Storage;

/// <summary>Writes the records of a checkpoint; see FORMAT.md.</summary>
public sealed class LogCheckpointWriter
{
    private readonly FileStream file;
    private byte[] frame = new byte[4096];
    private long number;

    private LogCheckpointWriter(FileStream file) => this.file = file;

    /// <summary>Adds a record.</summary>
    public void Add(ReadOnlySpan<byte> payload)
    {
        var length = LogSegment.FrameHeaderBytes + payload.Length;
        if (frame.Length < length)
        {
            frame = new byte[length * 2];
        }

        file.Write(frame, 0, LogSegment.WriteFrame(frame, number++, payload));
    }

    internal static void Write(string directory, long first, Action<LogCheckpointWriter> writeSeries)
    {
        var path = LogSegment.PathOf(directory, first, LogSegment.CheckpointExtension);
        var unfinished = path + ".tmp";
        LogCheckpoint.Write(unfinished, writeSeries);
        File.Move(unfinished, path, overwrite: true);
        DurableFile.FlushFolder(directory);
    }

    internal static void Write(FileStream to, Action<LogCheckpointWriter> writeSeries)
    {
        Span<byte> header = stackalloc byte[LogSegment.HeaderBytes];
        LogSegment.WriteHeader(header, 0);
        to.Write(header);
        writeSeries(new LogCheckpointWriter(to));
    }
}
