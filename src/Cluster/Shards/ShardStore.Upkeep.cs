using System.Buffers.Binary;
using System.Security.Cryptography;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>How a shard's store moves samples from the head into blocks and lets go of what is covered.</summary>
internal sealed partial class ShardStore
{
    /// <summary>Series whose chunks are dropped in one go under the appender's lock: about a millisecond.</summary>
    private const int TruncateSlice = 4096;

    /// <summary>A head is rebuilt when more than one in so many of its series hold nothing.</summary>
    private const int IdleShare = 4;

    /// <inheritdoc/>
    public void Maintain(DateTimeOffset now, CancellationToken cancellation)
    {
        var cut = false;
        while (DueCutEnd() is { } endMs)
        {
            Cut(endMs, cancellation);
            cut = true;
        }

        if (cut)
        {
            ShedIdleSeries();
            TruncateLog();
        }

        if (options.Retention is { } kept)
        {
            blocks.DeleteOlderThan((now - kept).ToUnixTimeMilliseconds());
        }
    }

    /// <summary>The exclusive end of the next block, or null when none is due.</summary>
    private long? DueCutEnd()
    {
        lock (appending)
        {
            if (head.ChunkCount == 0 || head.MinTimeMs > head.MaxTimeMs)
            {
                return null;
            }

            var range = head.Options.BlockRangeMs;
            var aligned = head.MinTimeMs - (((head.MinTimeMs % range) + range) % range) + range;
            if ((double)head.MaxTimeMs - head.MinTimeMs > 1.5 * range)
            {
                return aligned;
            }

            return time.GetElapsedTime(lastAppend) >= options.IdleCut ? Math.Min(aligned, head.MaxTimeMs + 1) : null;
        }
    }

    private void Cut(long endMs, CancellationToken cancellation)
    {
        lock (appending)
        {
            // From here on nothing older is taken, so the block will hold all there ever is before its end.
            head.SetMinValid(endMs);
        }

        Publish(endMs, cancellation);
        uint cursor = 0;
        var done = false;
        while (!done)
        {
            lock (appending)
            {
                done = head.TruncateSlice(endMs, ref cursor, TruncateSlice);
            }
        }
    }

    private void Publish(long endMs, CancellationToken cancellation)
    {
        using var view = OpenView();
        var range = new TimeRange(long.MinValue, endMs - 1);
        var ulid = Ulid.New(time, new Random(BinaryPrimitives.ReadInt32LittleEndian(RandomNumberGenerator.GetBytes(sizeof(int)))));
        using var writer = blocks.Set.Write(ulid, new BlockDescription { MaxTimeMs = endMs });
        if (HeadCut.Write(view, range, writer, cancellation) > 0)
        {
            writer.Finish();
            blocks.Set.Add(ulid);
        }
    }

    private void ShedIdleSeries()
    {
        lock (appending)
        {
            if (head.IdleSeriesCount * IdleShare > head.SeriesCount)
            {
                var rebuilt = head.Rebuilt();
                var old = head;
                Volatile.Write(ref head, rebuilt);
                appender = new HeadAppender(rebuilt);
                old.Dispose();
            }
        }
    }

    private void TruncateLog()
    {
        log.Rotate();
        long needed;
        lock (appending)
        {
            needed = coverage.FirstNeeded(head.MinValidMs, log.NextRecord);
        }

        using var view = OpenView();
        log.TruncateBefore(needed, checkpoint =>
        {
            var record = new WriteRecord();
            view.VisitSeries((reference, labels) =>
            {
                record.AddSeries(reference, labels.Encoded);
                if (record.SeriesCount == 1000)
                {
                    checkpoint.Add(record.Encode());
                    record.Clear();
                }
            });
            if (!record.IsEmpty)
            {
                checkpoint.Add(record.Encode());
            }
        });
        Volatile.Write(ref logBytes, log.Bytes);
    }
}
