namespace Metrics.Storage;

/// <summary>A checkpoint as a file of its own, for logs whose machine may be lost; the format is that beside a local log (FORMAT.md).</summary>
public static class LogCheckpoint
{
    /// <summary>Writes a checkpoint; its bytes are on the disk when this returns, its name may not be.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Write(string path, Action<LogCheckpointWriter> writeSeries)
    {
        using var created = File.Create(path, bufferSize: 64 * 1024);
        LogCheckpointWriter.Write(created, writeSeries);
        created.Flush(flushToDisk: true);
    }

    /// <summary>Shows the records of a checkpoint to a visitor; their numbers mean nothing. Gives the bytes read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="visitor">Is shown the records, up to the first that is damaged.</param>
    /// <param name="report">Is told, in a sentence, of damage.</param>
    /// <exception cref="IOException">The file can't be read.</exception>
    public static long Read(string path, ILogVisitor visitor, Action<string> report)
    {
        var position = 0L;
        var scan = LogReader.Scan(path, 0, visitor, ref position);
        if (scan.End != SegmentEnd.Whole)
        {
            // It was whole before its name was known, so this is no torn write.
            report($"{path}: damaged at {scan.Length}: {scan.What}; samples of series that only the rest names can't be replayed");
        }

        return position;
    }
}
