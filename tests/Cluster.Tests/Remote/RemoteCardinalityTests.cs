using FsCheck;
using FsCheck.Fluent;
using Metrics.Cluster.Tests.Nodes;
using Metrics.Model;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster.Tests.Remote;

/// <summary>What a shard elsewhere says of its past and of its labels is what the shard itself says.</summary>
public sealed class RemoteCardinalityTests
{
    private const int Seed = 20261121;
    private const long Minute = 60_000;

    [Fact]
    public void QuestionsAboutCardinalityComeOutAsTheyWentIn()
    {
        Same(new CardinalityQuery(null, [], 0));
        Same(new CardinalityQuery([], ["a", ""], int.MaxValue));
        Same(new CardinalityQuery([new Matcher(MatchType.NotRegex, "a", "x|y")], ["job"], 10) { Pairs = [new LabelPair("a", "\u00fc"), new LabelPair("b", "")] });

        static void Same(CardinalityQuery query)
        {
            var from = new ByteReader(Bytes(to => CardinalityBytes.Write(to, query)));
            var read = CardinalityBytes.Query(ref from);
            from.End();
            Assert.Equal(query.Selector, read.Selector);
            Assert.Equal((query.Limit, string.Join(',', query.Names)), (read.Limit, string.Join(',', read.Names)));
            Assert.Equal(query.Pairs, read.Pairs);
        }
    }

    [Fact]
    public void AnswersAboutCardinalityComeOutAsTheyWentIn() => Check.QuickThrowOnFailure(Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), seed =>
    {
        var found = Cardinality(new Random(seed));
        var from = new ByteReader(Bytes(to => CardinalityBytes.Write(to, found)));
        var read = CardinalityBytes.Answer(ref from);
        from.End();
        return Text(found) == Text(read);
    }));

    [Fact]
    public void ASketchOfManyValuesKeepsItsCount()
    {
        var many = new DistinctCount();
        for (var i = 0; i < 3 * DistinctCount.ExactMax; i++)
        {
            many.Add(System.Text.Encoding.UTF8.GetBytes($"{i}"));
        }

        var from = new ByteReader(Bytes(to => CardinalityBytes.Write(to, new ShardCardinality(1, [new LabelCardinality("a", 1, 2, many)], []))));
        var read = CardinalityBytes.Answer(ref from).Labels[0].Values;
        Assert.Equal(many.Count, read.Count);
        read.Add(many);
        Assert.Equal(many.Count, read.Count);
    }

    [Fact]
    public void GarbledQuestionsAndAnswersAreRefusedOrAreSome()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = Bytes(to => CardinalityBytes.Write(to, Cardinality(new Random(round % 50)))).ToArray();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            var cut = bytes.AsSpan(0, random.Next(8) == 0 ? random.Next(bytes.Length) : bytes.Length);
            try
            {
                var answer = new ByteReader(cut);
                foreach (var label in CardinalityBytes.Answer(ref answer).Labels)
                {
                    Assert.True(label.Values.Count >= 0);
                }
            }
            catch (InvalidDataException)
            {
                // It is none.
            }

            try
            {
                var question = new ByteReader(cut);
                CardinalityBytes.Query(ref question);
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

    [Theory]
    [InlineData("010d")]
    [InlineData("010d02")]
    [InlineData("010d00ffffffffffffffffff01")]
    [InlineData("010d000000ffffffff7f")]
    public async Task AQuestionThatIsNoneIsAnsweredAsSuch(string hex)
    {
        await using var world = new NodeWorld();
        var node = world.Start("a", 1);
        await node.OpenShardAsync(NodeWorld.Shard, default);
        var answer = await node.AnswerShardAsync(NodeWorld.Shard, Convert.FromHexString(hex), default);
        Assert.Equal((byte)ShardAnswer.Malformed, answer.Span[1]);
    }

    [Fact]
    public async Task AShardElsewhereTellsOfItsPastAndItsLabelsAsTheShardItselfDoes()
    {
        await using var world = new NodeWorld();
        var node = world.Start("a", 1);
        var own = await node.OpenShardAsync(NodeWorld.Shard, default);
        var remote = world.At(node);
        var start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - (120 * Minute);
        for (var i = 0; i < 60; i++)
        {
            await NodeWorld.WriteAsync(remote, start + (i * Minute), i, "a", "b");
        }

        await NodeWorld.WriteAsync(remote, start + (60 * Minute), 1, "c");
        var history = await remote.HistoryAsync(default);
        var later = await own.HistoryAsync(default);
        Assert.Equal((later.Incarnation, later.Changes), (history.Incarnation, history.Changes));
        Assert.InRange(history.SettledBeforeMs, later.SettledBeforeMs - Minute, later.SettledBeforeMs); // The line moves with the clock.
        Assert.NotEqual(0UL, history.Incarnation);
        Assert.True(history.SettledBeforeMs > start, "nothing is settled");
        Assert.Equal(own.Statistics, await remote.StatisticsAsync(default));
        foreach (var query in new[]
        {
            new CardinalityQuery(null, ["__name__", "job"], 10),
            new CardinalityQuery([new Matcher(MatchType.Regex, "__name__", "a|b")], ["job"], 1),
            new CardinalityQuery(null, [], 1) { Pairs = [new LabelPair("job", "test"), new LabelPair("job", "nobody")] },
        })
        {
            var told = await remote.CardinalityAsync(query, default);
            Assert.True(told.Series > 1);
            Assert.Equal(Text(await own.CardinalityAsync(query, default)), Text(told));
        }

        // A deletion is a change of the past, and another opening is another incarnation.
        await remote.DeleteAsync(new LabelQuery([[new Matcher(MatchType.Equal, "__name__", "a")]], TimeRange.All, 0), default);
        var changed = await remote.HistoryAsync(default);
        Assert.Equal(history.Incarnation, changed.Incarnation);
        Assert.True(changed.Changes > history.Changes, "a deletion was not counted");
        await node.CloseShardAsync(NodeWorld.Shard);
        await node.OpenShardAsync(NodeWorld.Shard, default);
        Assert.NotEqual(history.Incarnation, (await remote.HistoryAsync(default)).Incarnation);
    }

    private static ShardCardinality Cardinality(Random random)
    {
        var labels = new List<LabelCardinality>();
        for (var count = random.Next(5); count > 0; count--)
        {
            var values = new DistinctCount();
            for (var distinct = random.Next(50); distinct > 0; distinct--)
            {
                values.Add([(byte)random.Next(256), (byte)random.Next(256)]);
            }

            labels.Add(new LabelCardinality($"label{random.Next(9)}", random.NextInt64(), random.Next(), random.Next(4) == 0 ? new DistinctCount([], new byte[4096]) : values));
        }

        return new ShardCardinality(random.NextInt64(), labels, [.. Enumerable.Range(0, random.Next(6)).Select(i => new PairCount(new LabelPair($"n{i}", new string('v', random.Next(200))), random.Next()))]);
    }

    private static string Text(ShardCardinality found) => string.Join(
        '\n',
        found.Labels.Select(static l => $"{l.Name} {l.Series} {l.Bytes} {string.Join(' ', l.Values.Hashes.Order())} {Convert.ToHexString(l.Values.Sketch.Span)}").Order(StringComparer.Ordinal)
            .Concat(found.Frequent.Select(static f => $"{f.Pair.Name}={f.Pair.Value} {f.Series}").Order(StringComparer.Ordinal))
            .Prepend($"{found.Series}"));

    private static ReadOnlySpan<byte> Bytes(Action<ByteWriter> write)
    {
        var to = new ByteWriter(1);
        write(to);
        return to.Written.Span;
    }
}
