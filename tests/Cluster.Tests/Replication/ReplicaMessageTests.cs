using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster.Replication;

public sealed class ReplicaMessageTests
{
    private static readonly LogId Log = new(new ShardId(TenantId.Parse("team-a"), HashRange.Parse("0b01")), "abc123");

    public static TheoryData<int> Requests => [0, 1, 2, 3, 4];

    [Theory]
    [MemberData(nameof(Requests))]
    public void ARequestComesOutAsItWentIn(int index)
    {
        var request = Request(index);
        var (log, read) = ReplicaMessage.DecodeRequest(ReplicaMessage.Encode(Log, request));
        Assert.Equal(Log, log);
        Assert.Equal(Comparable(request), Comparable(read));
    }

    [Fact]
    public void AnAnswerComesOutAsItWentIn()
    {
        var answer = Answer();
        var read = ReplicaMessage.DecodeAnswer(ReplicaMessage.Encode(answer));
        Assert.Equal(answer.Frames.ToArray(), read.Frames.ToArray());
        Assert.Equal(answer with { Frames = default }, read with { Frames = default });
        Assert.True(read.IsDamaged);
        Assert.False(read.IsWhole);
    }

    [Theory]
    [MemberData(nameof(Requests))]
    public void APrefixOfARequestIsRefusedOrShorter(int index)
    {
        var bytes = ReplicaMessage.Encode(Log, Request(index)).ToArray();
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Throws<InvalidDataException>(() => ReplicaMessage.DecodeRequest(bytes.AsMemory(0, length)));
        }
    }

    [Fact]
    public void NoFlippedBitOfRecordsPasses()
    {
        var request = (AppendRequest)Request(2);
        var bytes = ReplicaMessage.Encode(Log, request).ToArray();
        for (var at = bytes.Length - request.Frames.Length; at < bytes.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                bytes[at] ^= (byte)(1 << bit);
                Assert.Throws<InvalidDataException>(() => ReplicaMessage.DecodeRequest(bytes));
                bytes[at] ^= (byte)(1 << bit);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void RandomBytesAreRefusedAndNeverCrash(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = ReplicaMessage.Encode(Log, Request(random.Next(5))).ToArray();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            TryDecode(() => ReplicaMessage.DecodeRequest(bytes));
            TryDecode(() => ReplicaMessage.DecodeAnswer(bytes));
            random.NextBytes(bytes);
            TryDecode(() => ReplicaMessage.DecodeRequest(bytes));
            TryDecode(() => ReplicaMessage.DecodeAnswer(bytes));
        }
    }

    [Fact]
    public void AHistoryThatClaimsMoreThanItHasIsRefusedBeforeRoomIsMade()
    {
        var bytes = ReplicaMessage.Encode(Log, new BeginRequest(1, 2, EpochHistory.Empty)).ToArray().AsEnumerable().ToList();
        bytes[^1] = 0xff;
        bytes.AddRange([0xff, 0xff, 0xff, 0x07, 1, 1]);
        Assert.Throws<InvalidDataException>(() => ReplicaMessage.DecodeRequest(bytes.ToArray()));
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("")]
    [InlineData("a/b")]
    public void ALineageThatIsNoFolderNameIsRefused(string lineage) =>
        Assert.Throws<InvalidDataException>(() => ReplicaMessage.DecodeRequest(ReplicaMessage.Encode(Log with { Lineage = lineage }, Request(0))));

    private static void TryDecode(Action decode)
    {
        try
        {
            decode();
        }
        catch (InvalidDataException)
        {
            return; // As it should; anything else fails the test.
        }
    }

    private static string Comparable(ReplicaRequest request) => request is AppendRequest append
        ? $"{append with { Frames = default }} {Convert.ToHexString(append.Frames.Span)}"
        : request.ToString()!;

    private static ReplicaRequest Request(int index) => index switch
    {
        0 => new BeginRequest(7, 100, EpochHistory.Empty.With(3, 0).With(7, 120)),
        1 => new BeginRequest(long.MaxValue / 8, 0, EpochHistory.Empty, 4, 99, 150),
        2 => new AppendRequest(7, 3, 2, 41, 2, Frames.Of(41, "first", "the second"), 40, 12),
        3 => new AppendRequest(7, 7, 0, 0, 1, Frames.Of(0, "x"), 0, 0, IsBehind: true),
        _ => new ReadRequest(12345, 1 << 20),
    };

    private static ReplicaAnswer Answer() => new()
    {
        Status = ReplicaStatus.Gap,
        Promised = 9,
        First = 10,
        Next = 20,
        BehindFirst = 1,
        BehindNext = 5,
        Committed = 18,
        WholeAt = ReplicaState.Damaged,
        History = EpochHistory.Empty.With(2, 10).With(9, 15),
        Frames = Frames.Of(15, "abc"),
        FramesEpoch = 9,
        FramesCount = 1,
    };
}

/// <summary>Short notation for framed records.</summary>
internal static class Frames
{
    /// <summary>Records from a number on.</summary>
    public static byte[] Of(long first, params string[] payloads)
    {
        var frames = new List<byte>();
        foreach (var payload in payloads)
        {
            var bytes = System.Text.Encoding.UTF8.GetBytes(payload);
            var frame = new byte[LogFrames.HeaderBytes + bytes.Length];
            LogFrames.Write(frame, first++, bytes);
            frames.AddRange(frame);
        }

        return [.. frames];
    }

    /// <summary>The payloads of framed records.</summary>
    public static List<string> Texts(ReadOnlySpan<byte> frames)
    {
        var texts = new List<string>();
        while (LogFrames.TryNext(ref frames, out var payload))
        {
            texts.Add(System.Text.Encoding.UTF8.GetString(payload));
        }

        return texts;
    }
}
