using FsCheck;
using FsCheck.Fluent;
using Metrics.Model;
using Metrics.PromQL;
using Metrics.Storage;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Remote;

/// <summary>What crosses between gateway and shard comes out as it went in; what nobody sent is refused.</summary>
public sealed class RemoteMessageTests
{
    private const int Seed = 20261121;

    [Fact]
    public void ABatchComesOutAsItWentIn() => Check.QuickThrowOnFailure(Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
    {
        var batch = Batch(new Random(seed));
        var into = new SampleBatch();
        var from = new ByteReader(Bytes(to => BatchBytes.Write(to, batch)));
        BatchBytes.Read(ref from, into);
        return Text(batch) == Text(into);
    }));

    [Fact]
    public void AnAppendsAnswerComesOutAsItWentIn()
    {
        var result = new AppendResult
        {
            Status = AppendStatus.NotOwner,
            Incarnation = ulong.MaxValue,
            NewSeriesRefs = [0, 7, AppendResult.NoRef],
            Accepted = 5,
            AcceptedHistograms = 1,
            AcceptedExemplars = 2,
            Rejections = [new Rejection(RejectReason.TooOld, 3, "series \u00fc: too old")],
        };
        var from = new ByteReader(Bytes(to => AnswerBytes.Write(to, result)));
        var read = AnswerBytes.AppendResult(ref from);
        from.End();
        Assert.Equal(
            (result.Status, result.Incarnation, result.Accepted, result.AcceptedHistograms, result.AcceptedExemplars), (read.Status, read.Incarnation, read.Accepted, read.AcceptedHistograms, read.AcceptedExemplars));
        Assert.Equal(result.NewSeriesRefs, read.NewSeriesRefs);
        Assert.Equal(result.Rejections, read.Rejections);
    }

    [Fact]
    public void QuestionsExemplarsAndCountsComeOutAsTheyWentIn()
    {
        var query = new LabelQuery([[new Matcher(MatchType.Regex, "a", "x.*"), new Matcher(MatchType.NotEqual, "b", "")], []], new TimeRange(long.MinValue, long.MaxValue), 17);
        var asked = new ByteReader(Bytes(to => ShardMessage.Write(to, query)));
        var read = ShardMessage.Query(ref asked);
        asked.End();
        Assert.Equal((query.Range, query.Limit, 2), (read.Range, read.Limit, read.Selectors.Count));
        Assert.Equal(query.Selectors[0], read.Selectors[0]);
        Assert.Empty(read.Selectors[1]);

        SeriesExemplars[] exemplars = [new(Labels.Of(("a", "1")), [new Exemplar(3, -5, 0.1, Labels.Of(("trace_id", "t"))), new Exemplar(3, 5, double.NegativeInfinity, Labels.Empty)])];
        var answered = new ByteReader(Bytes(to => AnswerBytes.Write(to, exemplars)));
        var found = AnswerBytes.Exemplars(ref answered);
        answered.End();
        Assert.Equal(exemplars[0].Series, Assert.Single(found).Series);
        Assert.Equal(exemplars[0].Exemplars, found[0].Exemplars);

        var counts = new ShardStatistics(1, 2, 3, 4, 5, long.MaxValue, long.MinValue, 8, 9, 10, 11);
        var counted = new ByteReader(Bytes(to => AnswerBytes.Write(to, counts)));
        Assert.Equal(counts, AnswerBytes.Statistics(ref counted));
        counted.End();
    }

    [Fact]
    public void SamplesComeOutBitForBit() => Check.QuickThrowOnFailure(Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
    {
        var random = new Random(seed);
        using var samples = new SampleBuffer();
        var time = random.NextInt64(long.MinValue / 2, long.MaxValue / 2);
        for (var count = random.Next(300); count > 0; count--)
        {
            time += 1 + random.Next(1 << random.Next(30));
            if (random.Next(5) == 0)
            {
                samples.Add(time, Histogram(random));
            }
            else
            {
                samples.Add(time, Value(random));
            }

            if (random.Next(9) == 0)
            {
                samples.SetStartTime(time - random.Next(1000));
            }
        }

        using var read = new SampleBuffer(1);
        var from = new ByteReader(Bytes(to => SampleBytes.Write(to, samples)));
        SampleBytes.Read(ref from, read);
        from.End();
        return Text(samples) == Text(read);
    }));

    [Fact]
    public void GarbledBatchesAreRefusedOrAreBatches()
    {
        var random = new Random(Seed);
        var into = new SampleBatch();
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = Bytes(to => BatchBytes.Write(to, Batch(new Random(round % 50)))).ToArray();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            into.Clear();
            try
            {
                var from = new ByteReader(bytes.AsSpan(0, random.Next(8) == 0 ? random.Next(bytes.Length) : bytes.Length));
                BatchBytes.Read(ref from, into);
                foreach (var name in into.Series)
                {
                    Assert.True((name & SampleBatch.NewSeriesFlag) == 0 || (name & ~SampleBatch.NewSeriesFlag) < (uint)into.NewSeriesCount);
                }

                for (var i = 0; i < into.NewSeriesCount; i++)
                {
                    Assert.True(Labels.IsCanonical(into.LabelsOf(i)));
                }
            }
            catch (InvalidDataException)
            {
                continue;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {Seed}, round {round}: {e}");
            }
        }
    }

    [Fact]
    public void ABatchThatNamesOneLongTextAgainAndAgainIsRefusedBeforeItTakesMemory()
    {
        // One text of a megabyte, and a series that has it a million times.
        var to = new ByteWriter();
        to.UInt64(1);
        to.Byte(WriteRecord.BatchType);
        to.UVarint(1);
        to.Block(new byte[1024 * 1024]);
        to.UVarint(1);
        to.UVarint(SampleBatch.NewSeriesFlag);
        to.UVarint(1_000_000);
        to.Raw(new byte[2_000_000]);
        var bytes = to.Written.ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() =>
        {
            var from = new ByteReader(bytes);
            BatchBytes.Read(ref from, new SampleBatch());
        });
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 300L * 1024 * 1024);
    }

    [Theory]
    [InlineData("")]
    [InlineData("01")]
    [InlineData("0200")]
    [InlineData("01ff")]
    [InlineData("0101")]
    [InlineData("0102ffffffffffffffffff01")]
    [InlineData("0103ffffffffffffffffff01")]
    [InlineData("0104ffffff7f")]
    [InlineData("010401010161015b00000000")]
    [InlineData("0106")]
    [InlineData("0107ffffffffffffffffffffff")]
    [InlineData("010801")]
    public async Task ACallThatIsNoneIsAnsweredAsSuch(string hex)
    {
        await using var shard = await OpenAsync();
        var answer = await ShardServer.AnswerAsync(Id, shard, Convert.FromHexString(hex), CancellationToken.None);
        Assert.Equal(hex == "010801" ? ShardAnswer.Done : ShardAnswer.Malformed, Kind(answer));
    }

    [Fact]
    public async Task AShardThatIsNotOpenAndAnAnswerThatIsNoneAreUnavailable()
    {
        var closed = Remote(call => ShardServer.AnswerAsync(Id, null, call, CancellationToken.None));
        Assert.Equal("it is not open on the node that was asked", (await Assert.ThrowsAsync<ShardUnavailableException>(async () => await closed.FlushAsync(default))).Reason);
        var silent = Remote(_ => throw new IOException("nobody is there"));
        Assert.Equal("nobody is there", (await Assert.ThrowsAsync<ShardUnavailableException>(async () => await silent.StatisticsAsync(default))).Reason);
        foreach (var garbage in new byte[][] { [], [1], [2, 0], [1, 9], [1, 0], [1, 0, 200, 1], [1, 1, 9], [1, 2] })
        {
            var garbled = Remote(_ => ValueTask.FromResult<ReadOnlyMemory<byte>>(garbage));
            await Assert.ThrowsAsync<ShardUnavailableException>(async () => await garbled.SeriesAsync(new LabelQuery([], TimeRange.All, 0), default));
            await Assert.ThrowsAsync<ShardUnavailableException>(async () => await garbled.AppendAsync(new SampleBatch(), default));
        }
    }

    [Fact]
    public async Task AShardElsewhereAnswersAsTheShardItselfDoes()
    {
        await using var shard = await OpenAsync();
        var remote = Remote(call => ShardServer.AnswerAsync(Id, shard, call, CancellationToken.None));
        var batch = new SampleBatch();
        foreach (var name in new[] { "b", "a", "c" })
        {
            var labels = Labels.Of(("__name__", name), ("job", "j" + name));
            var series = SampleBatch.NewSeriesFlag | (uint)batch.AddSeries(labels.Encoded, labels.Hash);
            batch.Add(series, 1000, 1.5);
            batch.Add(series, 2000, 2.5);
        }

        Assert.Equal(6, (await remote.AppendAsync(batch, default)).Accepted);
        var everything = new LabelQuery([[new Matcher(MatchType.Regex, "__name__", ".+")]], TimeRange.All, 0);
        Assert.Equal(await shard.SeriesAsync(everything, default), await remote.SeriesAsync(everything, default));
        Assert.Equal(await shard.LabelNamesAsync(everything, default), await remote.LabelNamesAsync(everything, default));
        Assert.Equal(["ja", "jb", "jc"], await remote.LabelValuesAsync("job", everything, default));
        Assert.Equal(shard.Statistics, await remote.StatisticsAsync(default));
        var read = new List<string>();
        await foreach (var series in remote.ReadAsync(everything.Selectors[0], TimeRange.All, default))
        {
            read.Add($"{series.Labels["__name__"]} {string.Join(' ', series.Samples.Values.ToArray())}");
        }

        Assert.Equal(["a 1.5 2.5", "b 1.5 2.5", "c 1.5 2.5"], read);
        using var answer = await new QueryEngine(new EngineOptions()).ExecuteAsync(new QueryRequest("sum(a or b)", TimeGrid.Instant(2000), false), [remote], default);
        Assert.Equal(5, Assert.Single(answer.Series).Points.Values[0]);
        var failed = await Assert.ThrowsAsync<QueryException>(async () => await remote.RunAsync(new Fragment("sum(", TimeGrid.Instant(0), false, 1, false, 1, false, false, 1, 0), default));
        Assert.Equal(QueryErrorKind.BadData, failed.Kind);
    }

    private static readonly ShardId Id = new(TenantId.Parse("t"), HashRange.Everything);

    private static async Task<Shard> OpenAsync()
    {
        var shard = new Shard(Id, "folder", TimeSpan.Zero, new EngineOptions(), TimeProvider.System, new MemoryDisk().Open, _ => { });
        await shard.OpenAsync(CancellationToken.None);
        return shard;
    }

    private static RemoteShard Remote(Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) =>
        new(Id, new Channel(answer), new ObjectStore.MemoryObjectStore(TimeProvider.System), TimeProvider.System);

    private static ShardAnswer Kind(ReadOnlyMemory<byte> answer)
    {
        var from = new ByteReader(answer.Span);
        return ShardMessage.Answer(ref from);
    }

    private static ReadOnlySpan<byte> Bytes(Action<ByteWriter> write)
    {
        var to = new ByteWriter(1);
        write(to);
        return to.Written.Span;
    }

    private static SampleBatch Batch(Random random)
    {
        var batch = new SampleBatch { Incarnation = (ulong)random.NextInt64() };
        for (var carried = random.Next(4); carried > 0; carried--)
        {
            var labels = Labels.Of(("__name__", $"m{random.Next(100)}"), ("l\u00fc", new string('v', random.Next(20))));
            batch.AddSeries(labels.Encoded, labels.Hash);
        }

        var time = random.NextInt64(-1_000_000, 2_000_000_000_000);
        for (var left = random.Next(200); left > 0; left--)
        {
            var series = batch.NewSeriesCount > 0 && random.Next(3) == 0 ? SampleBatch.NewSeriesFlag | (uint)random.Next(batch.NewSeriesCount) : (uint)random.Next(int.MaxValue);
            time += random.Next(3) - 1;
            if (random.Next(6) == 0)
            {
                batch.Add(series, time, Histogram(random));
            }
            else
            {
                batch.Add(series, time, Value(random));
            }

            if (random.Next(20) == 0)
            {
                batch.AddExemplar(series, time, Value(random), Labels.Of(("trace_id", $"{random.Next()}")));
            }
        }

        return batch;
    }

    private static double Value(Random random) => random.Next(6) switch
    {
        0 => random.Next(1000),
        1 => random.Next(100_000) / 100.0,
        2 => BitConverter.UInt64BitsToDouble((ulong)random.NextInt64() | 0x7ff0_0000_0000_0000),
        3 => -0.0,
        4 => BitConverter.UInt64BitsToDouble(0x7ff0_0000_0000_0002),
        _ => random.NextDouble(),
    };

    private static FloatHistogram Histogram(Random random)
    {
        var isNegativeToo = random.Next(2) == 0;
        return new FloatHistogram
        {
            CounterResetHint = (CounterResetHint)random.Next(4),
            Schema = random.Next(-4, 9),
            ZeroThreshold = random.NextDouble(),
            Count = random.Next(100),
            ZeroCount = random.Next(10),
            Sum = Value(random),
            PositiveSpans = [new HistogramSpan(random.Next(-5, 5), 2), new HistogramSpan(3, 1)],
            PositiveBuckets = [1, random.Next(5), 2.5],
            NegativeSpans = isNegativeToo ? [new HistogramSpan(0, 1)] : [],
            NegativeBuckets = isNegativeToo ? [4] : [],
            CustomValues = random.Next(3) == 0 ? [1, 2, 3.5] : [],
        };
    }

    private static string Text(SampleBatch batch) => string.Join(
        '\n',
        Enumerable.Range(0, batch.NewSeriesCount).Select(i => $"{Labels.FromEncoded(batch.LabelsOf(i))} {batch.HashOf(i)}")
            .Concat(Enumerable.Range(0, batch.Count).Select(i => $"{batch.Series[i]} {batch.Times[i]} {Text(batch.Values[i], batch.HasHistograms ? batch.Histograms[i] : null)}"))
            .Concat(batch.Exemplars.Select(e => $"{e.Series} {e.TimeMs} {BitConverter.DoubleToUInt64Bits(e.Value)} {e.Labels}"))
            .Prepend($"{batch.Incarnation}"));

    private static string Text(SampleBuffer samples) => string.Join(
        '\n', Enumerable.Range(0, samples.Count).Select(i => $"{samples.Times[i]} {(samples.StartTimes.IsEmpty ? 0 : samples.StartTimes[i])} {Text(samples.Values[i], samples.HasHistograms ? samples.Histograms[i] : null)}"));

    private static string Text(double value, FloatHistogram? histogram) => histogram is null
        ? $"{BitConverter.DoubleToUInt64Bits(value)}"
        : $"{histogram.CounterResetHint} {histogram.Schema} {histogram.ZeroThreshold} {histogram.Count} {histogram.ZeroCount} {BitConverter.DoubleToUInt64Bits(histogram.Sum)} {string.Join(' ', histogram.PositiveSpans)} {string.Join(' ', histogram.NegativeSpans)} {string.Join(' ', histogram.PositiveBuckets)} {string.Join(' ', histogram.NegativeBuckets)} {string.Join(' ', histogram.CustomValues)}";

    private sealed class Channel(Func<ReadOnlyMemory<byte>, ValueTask<ReadOnlyMemory<byte>>> answer) : IShardChannel
    {
        public ValueTask<ReadOnlyMemory<byte>> CallAsync(ReadOnlyMemory<byte> call, CancellationToken cancellation) => answer(call);
    }
}
