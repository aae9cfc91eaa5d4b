using System.Text;
using Xunit;

namespace Metrics.Storage.Tests.Log;

/// <summary>A log that is one replica of several: frames in and out, its end cut off and written again.</summary>
public sealed class ReplicaLogTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("metrics-log-").FullName;

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Theory]
    [InlineData(1, FsyncPolicy.Interval)]
    [InlineData(2, FsyncPolicy.Always)]
    [InlineData(3, FsyncPolicy.Never)]
    [InlineData(4, FsyncPolicy.Interval)]
    public async Task WhateverIsAppendedCutDroppedAndOpenedAgainIsWhatIsRead(int seed, FsyncPolicy policy)
    {
        var random = new Random(seed);
        var options = new LogOptions { Fsync = policy, SegmentBytes = 300 };
        var written = new List<string>(); // By number; what was dropped stays, what was cut off does not.
        var needed = 0L;
        var (reads, cuts) = (0, 0);
        var log = Open(options, out _);
        for (var step = 0; step < 3000; step++)
        {
            switch (random.Next(12))
            {
                case < 3:
                    for (var i = random.Next(1, 8); i > 0; i--)
                    {
                        Assert.Equal(written.Count, log.Append(Encoding.UTF8.GetBytes(Next(step, written))));
                    }

                    break;
                case 3:
                    var count = random.Next(1, 8);
                    var first = written.Count;
                    var frames = new byte[count * 100];
                    var length = 0;
                    for (var i = 0; i < count; i++)
                    {
                        length += LogFrames.Write(frames.AsSpan(length), first + i, Encoding.UTF8.GetBytes(Next(step, written)));
                    }

                    log.AppendFrames(frames.AsSpan(0, length), count);
                    break;
                case 4 when written.Count > 0:
                    await log.WaitDurableAsync(written.Count - 1);
                    break;
                case 5 when random.Next(2) == 0:
                    var cut = (int)random.NextInt64(log.FirstRecord, written.Count + 1);
                    log.TruncateFrom(cut);
                    written.RemoveRange(cut, written.Count - cut);
                    needed = Math.Min(needed, cut);
                    cuts++;
                    break;
                case 6 when random.Next(4) == 0:
                    needed = random.NextInt64(needed, written.Count + 1);
                    log.DropBefore(needed);
                    break;
                case 7:
                    log.Rest();
                    break;
                case 8 when random.Next(4) == 0:
                    log.Rotate();
                    break;
                case 9:
                    log.SyncFile();
                    break;
                case 10 when random.Next(4) == 0:
                    await log.DisposeAsync();
                    log = Open(options, out var records, written.Count);
                    Assert.Equal(written[(int)log.FirstRecord..], records);
                    break;
                default:
                    log.Sync();
                    var from = (int)random.NextInt64(log.FirstRecord, written.Count + 1);
                    var read = log.ReadFrames(from, random.Next(400));
                    Assert.Equal(written.Skip(from).Take(read.Count), Payloads(read.Frames));
                    Assert.Equal(from < written.Count, read.Count > 0);
                    reads++;
                    break;
            }

            Assert.Equal(written.Count, log.NextRecord);
            Assert.InRange(log.FirstRecord, 0, log.FirstRecord == log.NextRecord ? log.NextRecord : needed);
        }

        await log.DisposeAsync();
        Assert.True(reads > 500 && cuts > 50, $"{reads} reads, {cuts} cuts");
    }

    [Fact]
    public async Task ALogThatCanNotBeCutTakesNothingMore()
    {
        await using var log = Open(new LogOptions(), out _);
        for (var i = 0; i < 10; i++)
        {
            log.Append(Encoding.UTF8.GetBytes($"record {i}"));
        }

        log.Sync();
        var path = Directory.GetFiles(directory).Single();
        using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
        {
            // The length of the first frame.
            RandomAccess.Write(file, [255, 255, 255, 255], LogSegment.HeaderBytes);
        }

        var failure = Assert.Throws<LogException>(() => log.TruncateFrom(5));
        Assert.Contains($"could not be cut at record 5: {path}: the frame of record 0 at {LogSegment.HeaderBytes} claims -1 bytes", failure.Message, StringComparison.Ordinal);
        Assert.Throws<LogException>(() => log.Append("record"u8));
    }

    private static string Next(int step, List<string> written)
    {
        written.Add($"record {written.Count} of step {step}");
        return written[^1];
    }

    private static List<string> Payloads(byte[] frames)
    {
        var payloads = new List<string>();
        ReadOnlySpan<byte> rest = frames;
        while (LogFrames.TryNext(ref rest, out var payload))
        {
            payloads.Add(Encoding.UTF8.GetString(payload));
        }

        return payloads;
    }

    private ShardLog Open(LogOptions options, out List<string> records, long emptyFirst = 0)
    {
        var visitor = new RecordedTexts();
        records = visitor.Records;
        return ShardLog.Open(directory, options, TimeProvider.System, visitor, Assert.Fail, emptyFirst: emptyFirst);
    }
}
