using System.Text;
using Xunit;

namespace Metrics.Storage.Tests.Log;

public sealed class ShardLogTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("metrics-log-").FullName;
    private readonly List<string> reports = [];

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Theory]
    [InlineData(FsyncPolicy.Interval)]
    [InlineData(FsyncPolicy.Always)]
    [InlineData(FsyncPolicy.Never)]
    public async Task WhatWasWaitedForComesBackInOrder(FsyncPolicy policy)
    {
        await using (var log = Open(out _, new LogOptions { Fsync = policy, SegmentBytes = 200 }))
        {
            for (var i = 0; i < 50; i++)
            {
                Assert.Equal(i, log.Append(Record(i)));
                await log.WaitDurableAsync(i);
            }
        }

        await using var again = Open(out var records, new LogOptions { SegmentBytes = 200 });
        Assert.Equal(Enumerable.Range(0, 50).Select(i => $"record {i}"), records);
        Assert.True(again.SegmentStarts().Count > 3);
        Assert.Equal(50, again.NextRecord);
        Assert.Empty(reports);
    }

    [Fact]
    public async Task ManyWaitersShareWritesAndAllAreTold()
    {
        await using (var log = Open(out _))
        {
            var gate = new Lock();
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < 500; i++)
                {
                    long number;
                    lock (gate)
                    {
                        number = log.Append(Record(i));
                    }

                    await log.WaitDurableAsync(number);
                }
            })));
        }

        await using var again = Open(out var records);
        Assert.Equal(4000, records.Count);
    }

    [Fact]
    public async Task DisposingWritesWhatNobodyWaitedFor()
    {
        await using (var log = Open(out _))
        {
            log.Append(Record(0));
        }

        await using var again = Open(out var records);
        Assert.Equal(["record 0"], records);
    }

    [Fact]
    public async Task ATornTailIsCutAtTheLastWholeRecordWhereverItTears()
    {
        var whole = await WrittenAsync(5);
        var path = Directory.GetFiles(directory).Single();
        for (var length = 0; length < whole.Length; length++)
        {
            await File.WriteAllBytesAsync(path, whole[..length]);
            reports.Clear();
            await using (var log = Open(out var records))
            {
                Assert.Equal(Enumerable.Range(0, records.Count).Select(i => $"record {i}"), records);
                Assert.Equal(records.Count, log.NextRecord);
                log.Append(Record(records.Count));
            }

            await using (Open(out var after))
            {
                Assert.Equal(Enumerable.Range(0, after.Count).Select(i => $"record {i}"), after);
                Assert.True(after.Count > 0);
            }

            Assert.DoesNotContain(Directory.GetFiles(directory), f => f.EndsWith(ShardLog.DamagedSuffix, StringComparison.Ordinal));
            Directory.GetFiles(directory).ToList().ForEach(File.Delete);
        }
    }

    [Fact]
    public async Task ZerosAtTheEndAreATornTail()
    {
        var whole = await WrittenAsync(3);
        var path = Directory.GetFiles(directory).Single();
        await File.WriteAllBytesAsync(path, [.. whole, .. new byte[5000]]);
        await using var log = Open(out var records);
        Assert.Equal(3, records.Count);
        Assert.Contains("was not finished", Assert.Single(reports), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AFlippedBitNeverInventsARecordAndIsNotPassedOverInSilence()
    {
        var whole = await WrittenAsync(5);
        var path = Directory.GetFiles(directory).Single();
        for (var bit = 0; bit < whole.Length * 8; bit++)
        {
            var damaged = (byte[])whole.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            await File.WriteAllBytesAsync(path, damaged);
            reports.Clear();
            await using (Open(out var records))
            {
                Assert.Equal(Enumerable.Range(0, records.Count).Select(i => $"record {i}"), records);
                Assert.True(records.Count < 5);
            }

            Assert.NotEmpty(reports);
            Directory.GetFiles(directory).ToList().ForEach(File.Delete);
        }
    }

    [Fact]
    public async Task DamageBeforeTheLastSegmentSetsTheRestAside()
    {
        await WrittenAsync(20, segmentBytes: 60);
        var segments = Directory.GetFiles(directory).Order(StringComparer.Ordinal).ToList();
        var second = await File.ReadAllBytesAsync(segments[1]);
        second[^1] ^= 1;
        await File.WriteAllBytesAsync(segments[1], second);
        await using (var log = Open(out var records))
        {
            Assert.True(records.Count is > 0 and < 20);
            Assert.Contains("damaged", Assert.Single(reports), StringComparison.Ordinal);
            log.Append(Record(records.Count));
        }

        Assert.Contains(Directory.GetFiles(directory), f => f.EndsWith(ShardLog.DamagedSuffix, StringComparison.Ordinal));
        await using var again = Open(out var after);
        Assert.Equal(Enumerable.Range(0, after.Count).Select(i => $"record {i}"), after);
    }

    [Fact]
    public async Task TruncationDropsSegmentsAfterACheckpointOfWhatLaterRecordsReferTo()
    {
        await using (var log = Open(out _, new LogOptions { SegmentBytes = 60 }))
        {
            for (var i = 0; i < 20; i++)
            {
                await log.WaitDurableAsync(log.Append(Record(i)));
            }

            Assert.True(log.TruncateBefore(10, checkpoint => checkpoint.Add("checkpoint"u8)));
            Assert.False(log.TruncateBefore(0, _ => Assert.Fail("nothing to drop")));
            Assert.True(log.SegmentStarts()[0] is > 0 and <= 10);
        }

        await using var again = Open(out var records, new LogOptions { SegmentBytes = 60 });
        Assert.Equal("checkpoint", records[0]);
        Assert.Equal("record 19", records[^1]);
        Assert.Equal(20, again.NextRecord);
    }

    [Fact]
    public async Task AnUnfinishedCheckpointIsNoCheckpoint()
    {
        await WrittenAsync(3);
        await File.WriteAllTextAsync(Path.Combine(directory, "00000000000000000002.checkpoint.tmp"), "half");
        await using var log = Open(out var records);
        Assert.Equal(3, records.Count);
    }

    [Fact]
    public async Task RotationLetsEverythingBeDropped()
    {
        await using (var log = Open(out _))
        {
            await log.WaitDurableAsync(log.Append(Record(0)));
            log.Rotate();
            Assert.True(log.TruncateBefore(log.NextRecord, _ => { }));
        }

        await using var again = Open(out var records);
        Assert.Empty(records);
        Assert.Equal(1, again.NextRecord);
    }

    [Fact]
    public async Task ALogThatCanNotBeWrittenTellsEveryoneAndStaysClosed()
    {
        await using var log = Open(out _);
        Directory.Delete(directory, recursive: true);
        var number = log.Append(Record(0));
        await Assert.ThrowsAsync<LogException>(() => log.WaitDurableAsync(number).AsTask());
        Assert.Throws<LogException>(() => log.Append(Record(1)));
        Directory.CreateDirectory(directory);
    }

    [Theory]
    [InlineData(FsyncPolicy.Interval)]
    [InlineData(FsyncPolicy.Always)]
    [InlineData(FsyncPolicy.Never)]
    public async Task ALogAtRestHasNoFileOpenAndDoesAllThatItDidBefore(FsyncPolicy policy)
    {
        var options = new LogOptions { Fsync = policy, SegmentBytes = 200 };
        await using (var log = Open(out _, options))
        {
            Rest(log);
            for (var i = 0; i < 30; i++)
            {
                await log.WaitDurableAsync(log.Append(Record(i)));
                Rest(log);
            }

            log.Sync();
            log.SyncFile();
            Assert.Equal(OperatingSystem.IsLinux() ? 1 : 0, OpenFiles().Count);
            Rest(log);
            log.Rotate();
            Rest(log);
            Assert.True(log.TruncateBefore(15, checkpoint => checkpoint.Add("checkpoint"u8)));
            log.TruncateFrom(28);
            Rest(log);
            log.TruncateFrom(27);
            Rest(log);
            Assert.Equal(27, log.Append(Record(27)));
            Rest(log); // Writes what nobody waited for.
            Assert.Equal(1, log.ReadFrames(27, 1 << 20).Count);
        }

        await using var again = Open(out var records, options);
        Assert.Equal("checkpoint", records[0]);
        Assert.Equal("record 27", records[^1]);
        Assert.Equal(28, again.NextRecord);
        Assert.Empty(reports);
    }

    [Fact]
    public async Task ALogMayBeLaidToRestWhileOthersAppendAndWait()
    {
        await using (var log = Open(out _, new LogOptions { SegmentBytes = 10_000 }))
        {
            using var done = new CancellationTokenSource();
            var resting = Task.Run(() =>
            {
                while (!done.IsCancellationRequested)
                {
                    log.Rest();
                }
            });
            var gate = new Lock();
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < 500; i++)
                {
                    long number;
                    lock (gate)
                    {
                        number = log.Append(Record(i));
                    }

                    await log.WaitDurableAsync(number);
                }
            })));
            await done.CancelAsync();
            await resting;
        }

        await using var again = Open(out var records);
        Assert.Equal(2000, records.Count);
    }

    [Fact]
    public async Task ALogWhoseFileChangedWhileItRestedTakesNothingMore()
    {
        await using var log = Open(out _);
        await log.WaitDurableAsync(log.Append(Record(0)));
        log.Rest();
        var path = Directory.GetFiles(directory).Single();
        var whole = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, whole[..^1]);
        var number = log.Append(Record(1));
        await Assert.ThrowsAsync<LogException>(() => log.WaitDurableAsync(number).AsTask());
        Assert.Equal(whole.Length - 1, new FileInfo(path).Length);
    }

    private void Rest(ShardLog log)
    {
        log.Rest();
        Assert.Empty(OpenFiles());
    }

    /// <summary>The files of the log that this process has open, where the system can say.</summary>
    private List<string> OpenFiles() => !OperatingSystem.IsLinux() ? [] :
        [.. Directory.GetFiles("/proc/self/fd").Select(static f => new FileInfo(f).LinkTarget ?? "").Where(f => f.StartsWith(directory, StringComparison.Ordinal))];

    private static byte[] Record(int i) => Encoding.UTF8.GetBytes($"record {i}");

    private async Task<byte[]> WrittenAsync(int count, long segmentBytes = 1 << 20)
    {
        await using (var log = Open(out _, new LogOptions { SegmentBytes = segmentBytes }))
        {
            for (var i = 0; i < count; i++)
            {
                await log.WaitDurableAsync(log.Append(Record(i)));
            }
        }

        return await File.ReadAllBytesAsync(Directory.GetFiles(directory).Order(StringComparer.Ordinal).First());
    }

    private ShardLog Open(out List<string> records, LogOptions? options = null)
    {
        var visitor = new RecordedTexts();
        var log = ShardLog.Open(directory, options ?? new LogOptions(), TimeProvider.System, visitor, reports.Add);
        records = visitor.Records;
        return log;
    }
}
