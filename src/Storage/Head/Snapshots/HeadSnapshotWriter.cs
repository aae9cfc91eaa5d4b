using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>Writes what a head holds into a file, slice by slice, while the head goes on.</summary>
/// <remarks>
/// The snapshot stands at the record that was next when it was begun. Its slices are of later moments, so some samples of later records are in it as well: to replay those finds them there, and
/// appending what is there changes nothing.
/// </remarks>
public sealed class HeadSnapshotWriter : IDisposable
{
    private readonly Head head;
    private readonly string path;
    private readonly FileStream file;
    private readonly SnapshotFrame symbols = new();
    private readonly SnapshotFrame series = new();
    private readonly SnapshotFrame histograms = new();
    private readonly WriteRecord late = new();
    private uint cursor;
    private uint symbolsWritten;
    private long seriesWritten;
    private uint before;
    private bool finished;

    /// <summary>Begins a snapshot. Writer only.</summary>
    /// <param name="head">The head.</param>
    /// <param name="path">Where it goes; what is there is replaced when this one is finished.</param>
    /// <param name="log">Names the log that the head was filled from.</param>
    /// <param name="nextRecord">The number of the log's next record: replay begins there.</param>
    /// <exception cref="IOException">The file can't be made.</exception>
    public HeadSnapshotWriter(Head head, string path, string log, long nextRecord)
    {
        this.head = head;
        this.path = path;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        file = new FileStream(path + ".tmp", FileMode.Create, FileAccess.Write, FileShare.Read, 1);
        series.Begin(SnapshotFrameType.Head);
        series.UVarint(HeadSnapshot.Version);
        series.Text(Encoding.UTF8.GetBytes(log));
        series.SVarint(nextRecord);
        head.SaveBounds(series);
        file.Write(series.End());
    }

    /// <summary>Copies the next series into memory; false when there are no more. Writer only.</summary>
    public bool Collect(int slice)
    {
        symbols.Begin(SnapshotFrameType.Symbols);
        series.Begin(SnapshotFrameType.Series);
        histograms.Begin(SnapshotFrameType.Histograms);
        late.Clear();
        var more = head.SaveSlice(ref cursor, slice, ref before, series, histograms, late, ref seriesWritten);
        for (; symbolsWritten < head.Symbols.Count; symbolsWritten++)
        {
            symbols.Text(head.Symbols[symbolsWritten]);
        }

        return more;
    }

    /// <summary>Writes what was collected.</summary>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write()
    {
        foreach (var frame in (ReadOnlySpan<SnapshotFrame>)[symbols, series, histograms])
        {
            if (!frame.IsEmpty)
            {
                file.Write(frame.End());
            }
        }

        WriteRecord(SnapshotFrameType.Late);
    }

    /// <summary>Writes the exemplars and the end, and puts the file into its place; gives its size in bytes.</summary>
    /// <exception cref="IOException">The disk is full.</exception>
    public long Finish(ExemplarRing exemplars)
    {
        late.Clear();
        foreach (var exemplar in exemplars.Read(TimeRange.All))
        {
            late.AddExemplar(exemplar);
        }

        WriteRecord(SnapshotFrameType.Exemplars);
        series.Begin(SnapshotFrameType.End);
        series.UVarint((ulong)seriesWritten);
        series.UVarint(cursor);
        file.Write(series.End());
        file.Flush(flushToDisk: true);
        var bytes = file.Length;
        file.Dispose();
        File.Move(path + ".tmp", path, overwrite: true);
        DurableFile.FlushFolder(Path.GetDirectoryName(path)!);
        finished = true;
        return bytes;
    }

    /// <summary>Closes the file; one that was not finished goes.</summary>
    public void Dispose()
    {
        file.Dispose();
        if (!finished)
        {
            File.Delete(path + ".tmp");
        }
    }

    private void WriteRecord(SnapshotFrameType type)
    {
        if (!late.IsEmpty)
        {
            series.Begin(type);
            series.Bytes(late.Encode());
            file.Write(series.End());
        }
    }
}
