using System.Buffers;
using System.Text;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>Requests and answers as bytes: one buffer each, in which the records stand as the log stores them.</summary>
/// <remarks>
/// <code>
///   request   version u8 = 1 | kind u8 | tenant, range, lineage (length and UTF-8 each) | body
///     begin   1 | epoch, start, join, join at, whole at | history
///     append  2 | epoch, record epoch, previous epoch, first, count, committed, start | behind u8 | frames to the end
///     read    3 | from, most bytes
///   answer    version u8 = 1 | status u8 | promised, first, next, behind first, behind next, committed, whole at | history | frames' epoch, frames' count | frames to the end
///   history   count, then epoch and first each
/// </code>
/// Numbers are uvarints. Frames are checked where they are decoded, so that nobody behind sees a wrong one.
/// </remarks>
internal static class ReplicaMessage
{
    private const byte Version = 1;
    private const int MaxName = 256;
    private const int MaxStarts = 100_000;
    private const int MaxHeaderBytes = 64 + (3 * (MaxName + Varint.MaxBytes));

    private enum Kind : byte
    {
        Begin = 1,
        Append = 2,
        Read = 3,
    }

    /// <summary>The bytes of a request.</summary>
    public static ReadOnlyMemory<byte> Encode(LogId log, ReplicaRequest request)
    {
        var to = new ArrayBufferWriter<byte>(MaxHeaderBytes + (request is AppendRequest { Frames.Length: var frames } ? frames + (10 * Varint.MaxBytes) : 0));
        Byte(to, Version);
        Byte(to, (byte)(request switch { BeginRequest => Kind.Begin, AppendRequest => Kind.Append, ReadRequest => Kind.Read, _ => throw new ArgumentException($"{request.GetType()} is no request", nameof(request)) }));
        Text(to, log.Shard.Tenant.Value);
        Text(to, log.Shard.Range.ToString());
        Text(to, log.Lineage);
        switch (request)
        {
            case BeginRequest begin:
                Numbers(to, begin.Epoch, begin.Start, begin.Join, begin.JoinAt, begin.WholeAt);
                History(to, begin.History);
                break;
            case AppendRequest append:
                Numbers(to, append.Epoch, append.RecordEpoch, append.PreviousEpoch, append.First, append.Count, append.Committed, append.Start);
                Byte(to, append.IsBehind ? (byte)1 : (byte)0);
                to.Write(append.Frames.Span);
                break;
            case ReadRequest read:
                Numbers(to, read.From, read.MaxBytes);
                break;
        }

        return to.WrittenMemory;
    }

    /// <summary>A number that requests to one log share, for handing them out without decoding them; any number for what is no request.</summary>
    public static uint Addressee(ReadOnlySpan<byte> request)
    {
        var rest = request.Length < 2 ? [] : request[2..];
        var hash = 2166136261u; // FNV-1a over tenant, range and lineage.
        for (var name = 0; name < 3 && Varint.TryRead(ref rest, out var length) && length <= MaxName && (int)length <= rest.Length; name++)
        {
            foreach (var b in rest[..(int)length])
            {
                hash = (hash ^ b) * 16777619;
            }

            hash = (hash ^ 0xff) * 16777619; // No byte of UTF-8.
            rest = rest[(int)length..];
        }

        return hash ^ (hash >> 15);
    }

    /// <summary>Reads a request; its frames are a part of <paramref name="message"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes are no request.</exception>
    public static (LogId Log, ReplicaRequest Request) DecodeRequest(ReadOnlyMemory<byte> message) => Decoded(message, static message =>
    {
        var rest = message.Span;
        CheckVersion(ref rest);
        var kind = (Kind)Byte(ref rest);
        var shard = new ShardId(TenantId.Parse(Text(ref rest)), HashRange.Parse(Text(ref rest)));
        var log = new LogId(shard, Lineage(Text(ref rest)));
        switch (kind)
        {
            case Kind.Begin:
                var (epoch, start, join, joinAt, wholeAt) = (Number(ref rest), Number(ref rest), Number(ref rest), Number(ref rest), Number(ref rest));
                var history = History(ref rest);
                End(rest);
                return (log, (ReplicaRequest)new BeginRequest(epoch, start, history, join, joinAt, wholeAt));
            case Kind.Append:
                return (log, Append(message, rest));
            case Kind.Read:
                var (from, maxBytes) = (Number(ref rest), Number(ref rest));
                End(rest);
                return (log, new ReadRequest(from, (int)Math.Min(maxBytes, int.MaxValue)));
            default:
                throw new InvalidDataException($"a request of kind {(byte)kind}");
        }
    });

    /// <summary>The bytes of an answer.</summary>
    public static ReadOnlyMemory<byte> Encode(ReplicaAnswer answer)
    {
        var to = new ArrayBufferWriter<byte>(128 + answer.Frames.Length);
        Byte(to, Version);
        Byte(to, (byte)answer.Status);
        Numbers(to, answer.Promised, answer.First, answer.Next, answer.BehindFirst, answer.BehindNext, answer.Committed, answer.WholeAt);
        History(to, answer.History);
        Numbers(to, answer.FramesEpoch, answer.FramesCount);
        to.Write(answer.Frames.Span);
        return to.WrittenMemory;
    }

    /// <summary>Reads an answer; its frames are a part of <paramref name="message"/>, and not checked: the numbers they belong to are the asker's.</summary>
    /// <exception cref="InvalidDataException">The bytes are no answer.</exception>
    public static ReplicaAnswer DecodeAnswer(ReadOnlyMemory<byte> message) => Decoded(message, static message =>
    {
        var rest = message.Span;
        CheckVersion(ref rest);
        var status = (ReplicaStatus)Byte(ref rest);
        if (status > ReplicaStatus.Failed)
        {
            throw new InvalidDataException($"an answer of status {(byte)status}");
        }

        return new ReplicaAnswer
        {
            Status = status,
            Promised = Number(ref rest),
            First = Number(ref rest),
            Next = Number(ref rest),
            BehindFirst = Number(ref rest),
            BehindNext = Number(ref rest),
            Committed = Number(ref rest),
            WholeAt = Number(ref rest),
            History = History(ref rest),
            FramesEpoch = Number(ref rest),
            FramesCount = (int)Math.Min(Number(ref rest), int.MaxValue),
            Frames = message[^rest.Length..],
        };
    });

    private static AppendRequest Append(ReadOnlyMemory<byte> message, ReadOnlySpan<byte> rest)
    {
        var (epoch, recordEpoch, previousEpoch, first) = (Number(ref rest), Number(ref rest), Number(ref rest), Number(ref rest));
        var (count, committed, start) = (Number(ref rest), Number(ref rest), Number(ref rest));
        var behind = Flag(ref rest);
        var found = LogFrames.Check(rest, first);
        return found == count
            ? new AppendRequest(epoch, recordEpoch, previousEpoch, first, found, message[^rest.Length..], committed, start, behind)
            : throw new InvalidDataException($"{count} records are announced, {found} are there");
    }

    private static T Decoded<T>(ReadOnlyMemory<byte> message, Func<ReadOnlyMemory<byte>, T> decode)
    {
        try
        {
            return decode(message);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException($"a replication message of {message.Length} bytes: {e.Message}", e);
        }
    }

    /// <summary>A lineage becomes a folder's name.</summary>
    private static string Lineage(string text) => text.Length is > 0 and <= 64 && text.All(char.IsAsciiLetterOrDigit) ? text : throw new InvalidDataException($"'{text}' names no log");

    private static void CheckVersion(ref ReadOnlySpan<byte> rest)
    {
        if (Byte(ref rest) is var version && version != Version)
        {
            throw new InvalidDataException($"the message's version is {version}, known is {Version}");
        }
    }

    private static void End(ReadOnlySpan<byte> rest)
    {
        if (!rest.IsEmpty)
        {
            throw new InvalidDataException($"{rest.Length} bytes after the message's end");
        }
    }

    private static void Byte(ArrayBufferWriter<byte> to, byte value) => to.Write([value]);

    private static byte Byte(ref ReadOnlySpan<byte> rest)
    {
        if (rest.IsEmpty)
        {
            throw new InvalidDataException("the message is cut off");
        }

        var value = rest[0];
        rest = rest[1..];
        return value;
    }

    private static bool Flag(ref ReadOnlySpan<byte> rest) => Byte(ref rest) is var value && value <= 1 ? value == 1 : throw new InvalidDataException($"{value} is neither yes nor no");

    private static void Numbers(ArrayBufferWriter<byte> to, params ReadOnlySpan<long> values)
    {
        foreach (var value in values)
        {
            to.Advance(Varint.Write(to.GetSpan(Varint.MaxBytes), (ulong)value));
        }
    }

    // Record numbers and epochs leave room to count on: nothing that is added to them may overflow.
    private static long Number(ref ReadOnlySpan<byte> rest) =>
        Varint.Read(ref rest) is var value && value <= long.MaxValue / 4 ? (long)value : throw new InvalidDataException($"the number {value} is out of range");

    private static void Text(ArrayBufferWriter<byte> to, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Numbers(to, bytes.Length);
        to.Write(bytes);
    }

    private static string Text(ref ReadOnlySpan<byte> rest)
    {
        var length = Number(ref rest);
        if (length > MaxName || length > rest.Length)
        {
            throw new InvalidDataException($"a name of {length} bytes, {rest.Length} are left");
        }

        var text = Encoding.UTF8.GetString(rest[..(int)length]);
        rest = rest[(int)length..];
        return text;
    }

    private static void History(ArrayBufferWriter<byte> to, EpochHistory history)
    {
        Numbers(to, history.Starts.Count);
        foreach (var start in history.Starts)
        {
            Numbers(to, start.Epoch, start.First);
        }
    }

    private static EpochHistory History(ref ReadOnlySpan<byte> rest)
    {
        // Each start takes two bytes or more, so what is left bounds the count before anything is made for it.
        var count = Number(ref rest);
        if (count > MaxStarts || count > rest.Length / 2)
        {
            throw new InvalidDataException($"a history of {count} epochs in {rest.Length} bytes");
        }

        var starts = new EpochStart[count];
        for (var i = 0; i < starts.Length; i++)
        {
            starts[i] = new EpochStart(Number(ref rest), Number(ref rest));
            if (i > 0 && (starts[i].Epoch <= starts[i - 1].Epoch || starts[i].First <= starts[i - 1].First))
            {
                throw new InvalidDataException($"epoch {starts[i]} after {starts[i - 1]}");
            }
        }

        return starts.Length == 0 ? EpochHistory.Empty : new EpochHistory(starts);
    }
}
