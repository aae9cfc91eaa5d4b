using Metrics.Model;
namespace Metrics.Storage;

/// <summary>How a log is opened: replayed, its torn tail cut, damage set aside.</summary>
public sealed partial class ShardLog
{
    /// <summary>What damaged files are renamed to.</summary>
    public const string DamagedSuffix = ".damaged";

    /// <summary>Bytes that <see cref="Open"/> will read, for showing progress.</summary>
    public static long BytesToReplay(string directory) => !Directory.Exists(directory) ? 0 :
        new DirectoryInfo(directory).EnumerateFiles().Where(f => f.Extension is LogSegment.Extension or LogSegment.CheckpointExtension).Sum(f => f.Length);

    /// <summary>Opens the log of a directory, which is made if it is not there, and shows its records to a visitor: the checkpoint's first, then the log's.</summary>
    /// <param name="directory">Where the segments lie.</param>
    /// <param name="options">How to write.</param>
    /// <param name="time">The clock of the sync interval.</param>
    /// <param name="visitor">Is shown all records; record numbers of a checkpoint count from 0 and mean nothing.</param>
    /// <param name="report">Is told, in a sentence, of a torn tail and of damage.</param>
    /// <param name="from">The first record that the visitor needs: those before it are not shown, and whole segments of them are not read. 0 shows the checkpoint too; a later record
    /// only when the log begins after it.</param>
    /// <param name="emptyFirst">The number of the first record, when the directory holds none.</param>
    /// <exception cref="IOException">A file can't be read or written.</exception>
    public static ShardLog Open(string directory, LogOptions options, TimeProvider time, ILogVisitor visitor, Action<string> report, long from = 0, long emptyFirst = 0)
    {
        Directory.CreateDirectory(directory);
        var position = 0L;
        ReplayCheckpoint(directory, visitor, from, ref position, report);
        var firsts = LogSegment.Firsts(directory, LogSegment.Extension);
        visitor = from == 0 ? visitor : new VisitFrom(visitor, from);
        var next = firsts.Count > 0 ? firsts[0] : emptyFirst;
        (long First, long Bytes)? last = null;
        for (var i = 0; i < firsts.Count; i++)
        {
            var path = LogSegment.PathOf(directory, firsts[i]);
            if (firsts[i] != next)
            {
                SetAside(directory, firsts.Skip(i), $"{path}: it begins with record {firsts[i]}, but the segment before it ends with {next - 1}", report);
                break;
            }

            if (i + 1 < firsts.Count && firsts[i + 1] <= from)
            {
                position += new FileInfo(path).Length;
                next = firsts[i + 1];
                continue;
            }

            var scan = LogReader.Scan(path, firsts[i], visitor, ref position);
            next = scan.NextRecord;
            if (scan.End == SegmentEnd.Whole)
            {
                last = (firsts[i], scan.Length);
                continue;
            }

            var isLast = i == firsts.Count - 1;
            if (scan.End == SegmentEnd.Torn && isLast)
            {
                report($"{path}: cut at {scan.Length}, the last write was not finished: {scan.What}");
            }
            else
            {
                CopyAside(path, scan.Length);
                SetAside(directory, firsts.Skip(i + 1), $"{path}: damaged at {scan.Length}: {scan.What}; what follows is kept as *{DamagedSuffix}", report);
            }

            last = Cut(path, firsts[i], scan.Length);
            break;
        }

        return new ShardLog(directory, options, time, next, last);
    }

    private static void ReplayCheckpoint(string directory, ILogVisitor visitor, long from, ref long position, Action<string> report)
    {
        foreach (var first in LogSegment.Firsts(directory, LogSegment.CheckpointExtension).TakeLast(1))
        {
            var path = LogSegment.PathOf(directory, first, LogSegment.CheckpointExtension);
            if (from > 0 && first <= from)
            {
                position += new FileInfo(path).Length;
                continue;
            }

            position += LogCheckpoint.Read(path, visitor, report);
        }
    }

    private static (long First, long Bytes)? Cut(string path, long first, long length)
    {
        if (length < LogSegment.HeaderBytes)
        {
            File.Delete(path);
            return null;
        }

        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        RandomAccess.SetLength(handle, length);
        RandomAccess.FlushToDisk(handle);
        return (first, length);
    }

    private static void CopyAside(string path, long from)
    {
        using var source = File.OpenRead(path);
        source.Seek(from, SeekOrigin.Begin);
        using var target = File.Create($"{path}.{from}{DamagedSuffix}");
        source.CopyTo(target);
        target.Flush(flushToDisk: true);
    }

    private static void SetAside(string directory, IEnumerable<long> firsts, string why, Action<string> report)
    {
        foreach (var first in firsts)
        {
            var path = LogSegment.PathOf(directory, first);
            File.Move(path, path + DamagedSuffix, overwrite: true);
        }

        DurableFile.FlushFolder(directory);
        report(why);
    }

    private sealed class VisitFrom(ILogVisitor visitor, long from) : ILogVisitor
    {
        public void Visit(long number, ReadOnlySpan<byte> payload, long position)
        {
            if (number >= from)
            {
                visitor.Visit(number, payload, position);
            }
        }
    }
}
