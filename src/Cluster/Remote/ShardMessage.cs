using Metrics.Model;
using Metrics.PromQL;
using MatchType = Metrics.Model.MatchType;

namespace Metrics.Cluster;

/// <summary>What is asked of a shard elsewhere. Numbers are part of the messages between versions: never given to another.</summary>
internal enum ShardCall : byte
{
    /// <summary><see cref="IShard.AppendAsync"/>.</summary>
    Append = 1,

    /// <summary><see cref="IQueryLeaf.RunAsync"/>.</summary>
    Run = 2,

    /// <summary>A page of <see cref="IShard.ReadAsync"/>.</summary>
    Read = 3,

    /// <summary><see cref="IShard.SeriesAsync"/>.</summary>
    Series = 4,

    /// <summary><see cref="IShard.LabelNamesAsync"/>.</summary>
    LabelNames = 5,

    /// <summary><see cref="IShard.LabelValuesAsync"/>.</summary>
    LabelValues = 6,

    /// <summary><see cref="IShard.ExemplarsAsync"/>.</summary>
    Exemplars = 7,

    /// <summary><see cref="IShard.Statistics"/>.</summary>
    Statistics = 8,

    /// <summary><see cref="IShard.FlushAsync"/>.</summary>
    Flush = 9,

    /// <summary><see cref="IShard.DeleteAsync"/>.</summary>
    Delete = 10,

    /// <summary><see cref="IShard.CleanDeletedAsync"/>.</summary>
    CleanDeleted = 11,

    /// <summary><see cref="IShard.HistoryAsync"/>.</summary>
    History = 12,

    /// <summary><see cref="IShard.CardinalityAsync"/>.</summary>
    Cardinality = 13,

    /// <summary>Publishes the blocks that were cut, without cutting the head: for <see cref="IShard.SnapshotAsync"/>.</summary>
    Publish = 14,

    /// <summary><see cref="IShard.AdoptAsync"/>.</summary>
    Adopt = 15,
}

/// <summary>How a call was answered.</summary>
internal enum ShardAnswer : byte
{
    /// <summary>The body follows.</summary>
    Done = 0,

    /// <summary><see cref="ShardUnavailableException"/>: the reason follows.</summary>
    Unavailable = 1,

    /// <summary><see cref="QueryException"/>: kind and message follow.</summary>
    QueryFailed = 2,

    /// <summary>The call was none; what is wrong with it follows.</summary>
    Malformed = 3,

    /// <summary>Something else went wrong; the message follows.</summary>
    Failed = 4,

    /// <summary>The shard was split or merged (<see cref="ShardUnavailableException.IsMoved"/>); nothing follows.</summary>
    Moved = 5,
}

/// <summary>The frame of calls and answers, and the parts that several have.</summary>
/// <remarks>
/// <code>
///   call      version u8 = 1 | <see cref="ShardCall"/> | body
///   answer    version u8 = 1 | <see cref="ShardAnswer"/> | body, or what went wrong
/// </code>
/// Bodies are what IShard's members take and give, in the order of their parameters; the batch of an append is a log record (<see cref="BatchBytes"/>).
/// </remarks>
internal static class ShardMessage
{
    private const byte Version = 1;

    /// <summary>Begins a call.</summary>
    public static ByteWriter Begin(ShardCall call, int capacity = 256) => Begin((byte)call, capacity);

    /// <summary>Begins an answer.</summary>
    public static ByteWriter Begin(ShardAnswer answer, int capacity = 256) => Begin((byte)answer, capacity);

    /// <summary>Takes the frame off a call.</summary>
    /// <exception cref="InvalidDataException">It is none that this version knows.</exception>
    public static ShardCall Call(ref ByteReader from) => (ShardCall)Kind(ref from);

    /// <summary>Takes the frame off an answer.</summary>
    /// <exception cref="InvalidDataException">It is none that this version knows.</exception>
    public static ShardAnswer Answer(ref ByteReader from) => (ShardAnswer)Kind(ref from);

    /// <summary>Writes matchers.</summary>
    public static void Write(ByteWriter to, IReadOnlyList<Matcher> matchers)
    {
        to.UVarint((ulong)matchers.Count);
        foreach (var matcher in matchers)
        {
            to.Byte((byte)matcher.Type);
            to.Text(matcher.Name);
            to.Text(matcher.Value);
        }
    }

    /// <summary>Reads matchers.</summary>
    /// <exception cref="InvalidDataException">They are none.</exception>
    public static Matcher[] Matchers(ref ByteReader from)
    {
        var matchers = new Matcher[from.Count(3)];
        for (var i = 0; i < matchers.Length; i++)
        {
            var type = (MatchType)from.Byte();
            if (!Enum.IsDefined(type))
            {
                throw new InvalidDataException($"a matcher of type {(byte)type}");
            }

            try
            {
                matchers[i] = new Matcher(type, from.Text(), from.Text());
            }
            catch (FormatException e)
            {
                throw new InvalidDataException(e.Message, e);
            }
        }

        return matchers;
    }

    /// <summary>Writes a range.</summary>
    public static void Write(ByteWriter to, TimeRange range)
    {
        to.SVarint(range.MinMs);
        to.SVarint(range.MaxMs);
    }

    /// <summary>Reads a range.</summary>
    public static TimeRange Range(ref ByteReader from) => new(from.SVarint(), from.SVarint());

    /// <summary>Writes a question about labels.</summary>
    public static void Write(ByteWriter to, LabelQuery query)
    {
        to.UVarint((ulong)query.Selectors.Count);
        foreach (var selector in query.Selectors)
        {
            Write(to, selector);
        }

        Write(to, query.Range);
        to.UVarint((ulong)query.Limit);
    }

    /// <summary>Reads a question about labels.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static LabelQuery Query(ref ByteReader from)
    {
        var selectors = new IReadOnlyList<Matcher>[from.Count(1)];
        for (var i = 0; i < selectors.Length; i++)
        {
            selectors[i] = Matchers(ref from);
        }

        return new LabelQuery(selectors, Range(ref from), from.UpTo(int.MaxValue));
    }

    /// <summary>Writes texts.</summary>
    public static void Write(ByteWriter to, IReadOnlyList<string> texts)
    {
        to.UVarint((ulong)texts.Count);
        foreach (var text in texts)
        {
            to.Text(text);
        }
    }

    /// <summary>Reads texts.</summary>
    /// <exception cref="InvalidDataException">They are none.</exception>
    public static string[] Texts(ref ByteReader from)
    {
        var texts = new string[from.Count(1)];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = from.Text();
        }

        return texts;
    }

    /// <summary>Writes label sets.</summary>
    public static void Write(ByteWriter to, IReadOnlyList<Labels> series)
    {
        to.UVarint((ulong)series.Count);
        foreach (var labels in series)
        {
            to.Block(labels.Encoded);
        }
    }

    /// <summary>Reads label sets.</summary>
    /// <exception cref="InvalidDataException">They are none.</exception>
    public static Labels[] Series(ref ByteReader from)
    {
        var series = new Labels[from.Count(1)];
        for (var i = 0; i < series.Length; i++)
        {
            series[i] = from.Labels();
        }

        return series;
    }

    private static ByteWriter Begin(byte kind, int capacity)
    {
        var to = new ByteWriter(capacity);
        to.Byte(Version);
        to.Byte(kind);
        return to;
    }

    private static byte Kind(ref ByteReader from) => from.Byte() == Version ? from.Byte() : throw new InvalidDataException($"a message of another version than {Version}");
}
