using System.Buffers.Binary;
using System.Text;
using Metrics.Model;

namespace Metrics.Storage;

/// <summary>A copy of a head on disk, from which it starts again without replaying the log from the last block on.</summary>
/// <remarks>
/// Written by <see cref="HeadSnapshotWriter"/>. Like the files of <see cref="ChunkSpill"/> it is a shortcut and never the truth: when it does not fit or is damaged, it is thrown away and the log
/// is replayed as if there had been none.
/// </remarks>
public static class HeadSnapshot
{
    /// <summary>The name of the file in the head's folder.</summary>
    public const string FileName = "snapshot";

    internal const uint Version = 2;
    private const int MostFrameBytes = 1024 * 1024 * 1024;

    /// <summary>Loads a snapshot.</summary>
    /// <param name="path">The file.</param>
    /// <param name="log">The log that will be replayed from where the snapshot stands; a snapshot of another one does not fit.</param>
    /// <param name="newHead">Makes an empty head, over the <see cref="ChunkSpill"/> that the snapshot's head had.</param>
    /// <param name="exemplars">Gets the exemplars.</param>
    /// <param name="report">Is told, in a sentence, why a snapshot is not used.</param>
    /// <returns>The head, and the first record that is to be replayed; null when there is no snapshot that can be used.</returns>
    public static (Head Head, long NextRecord)? Load(string path, string log, Func<Head> newHead, ExemplarRing exemplars, Action<string> report)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var loading = new Loading(newHead());
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
            loading.Read(file, path);
            if (loading.Log != log)
            {
                throw new InvalidDataException($"it is of log {loading.Log}, and the log here is {log}");
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or OverflowException or ArgumentException)
        {
            loading.Head.Dispose();
            report($"{path}: the snapshot can't be used, so the whole log is replayed: {e.Message}");
            return null;
        }

        loading.Exemplars.ForEach(e => exemplars.Add(e, out _));
        return (loading.Head, loading.NextRecord);
    }

    /// <summary>A load under way.</summary>
    private sealed class Loading(Head head) : IWriteRecordVisitor
    {
        private byte[] frame = new byte[256 * 1024];
        private uint reference;
        private bool ended;

        public Head Head { get; } = head;

        public string Log { get; private set; } = "";

        public long NextRecord { get; private set; }

        public List<Exemplar> Exemplars { get; } = [];

        public void Read(FileStream file, string path)
        {
            Span<byte> header = stackalloc byte[SnapshotFrame.HeaderBytes];
            while (!ended)
            {
                var at = file.Position;
                file.ReadExactly(header);
                var length = BinaryPrimitives.ReadInt32BigEndian(header[1..]);
                if (length < 0 || length > Math.Min(MostFrameBytes, file.Length - file.Position))
                {
                    throw new InvalidDataException($"offset {at}: a frame claims {length} bytes");
                }

                if (length > frame.Length)
                {
                    frame = new byte[length + (length / 4)];
                }

                file.ReadExactly(frame, 0, length);
                var payload = frame.AsSpan(0, length);
                if (BinaryPrimitives.ReadUInt32BigEndian(header[5..]) != SnapshotFrame.Checksum(header[..5], payload))
                {
                    throw new InvalidDataException($"offset {at}: the checksum of a frame does not match");
                }

                Take((SnapshotFrameType)header[0], new SpanReader(payload, path, at + SnapshotFrame.HeaderBytes), payload, isFirst: at == 0);
            }
        }

        public void Series(uint reference, ReadOnlySpan<byte> canonicalLabels) => throw new InvalidDataException("a record of a snapshot names series");

        public void Sample(uint reference, long timeMs, double value) => Head.RestoreLate(Known(reference), timeMs, value);

        public void Sample(uint reference, long timeMs, FloatHistogram histogram) => Head.RestoreLate(Known(reference), timeMs, histogram);

        public void Exemplar(in Exemplar exemplar) => Exemplars.Add(exemplar);

        private uint Known(uint named) => Head.IsKnown(named) ? named : throw new InvalidDataException($"a late sample belongs to series {named}, but there is no such series");

        private void Take(SnapshotFrameType type, SpanReader from, ReadOnlySpan<byte> payload, bool isFirst)
        {
            if (isFirst != (type == SnapshotFrameType.Head))
            {
                throw new InvalidDataException($"a frame of type {type} stands where it does not belong");
            }

            switch (type)
            {
                case SnapshotFrameType.Head:
                    TakeHead(from);
                    break;
                case SnapshotFrameType.Symbols:
                    Head.RestoreSymbols(ref from);
                    break;
                case SnapshotFrameType.Series:
                    Head.RestoreSeries(ref from, ref reference);
                    break;
                case SnapshotFrameType.Histograms:
                    Head.RestoreHistograms(ref from);
                    break;
                case SnapshotFrameType.Late:
                case SnapshotFrameType.Exemplars:
                    WriteRecordReader.Read(payload, this);
                    break;
                case SnapshotFrameType.End:
                    TakeEnd(from);
                    break;
                default:
                    throw new InvalidDataException($"a frame of type {(byte)type} is not known");
            }
        }

        private void TakeHead(SpanReader from)
        {
            var version = from.UVarint();
            if (version != Version)
            {
                throw new InvalidDataException($"its version is {version}, known is {Version}");
            }

            Log = Encoding.UTF8.GetString(from.Text());
            NextRecord = from.SVarint();
            Head.RestoreBounds(ref from);
        }

        private void TakeEnd(SpanReader from)
        {
            var series = from.UVarint();
            if (series != (ulong)Head.SeriesCount)
            {
                throw new InvalidDataException($"it should have {series} series, and has {Head.SeriesCount}");
            }

            Head.ReserveReferences(checked((uint)from.UVarint()));
            ended = true;
        }
    }
}
