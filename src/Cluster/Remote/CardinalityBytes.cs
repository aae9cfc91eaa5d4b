using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Questions about cardinality and their answers, as bytes.</summary>
/// <remarks>
/// <code>
///   question  has selector u8 | matchers, if so | names | limit uvarint | pairs: count, then name and value of each
///   answer    series svarint | labels: count, then of each: name | series svarint | bytes svarint | distinct values | pairs: count, then of each: name | value | series svarint
///   distinct  hashes: count, then 8 bytes each | registers of the sketch, with their number before: 0 or 4096
/// </code>
/// </remarks>
internal static class CardinalityBytes
{
    private const int LeastPairBytes = 2;
    private const int LeastCountBytes = LeastPairBytes + 1;
    private const int LeastLabelBytes = 5;

    /// <summary>Writes a question.</summary>
    public static void Write(ByteWriter to, CardinalityQuery query)
    {
        to.Bool(query.Selector is not null);
        if (query.Selector is not null)
        {
            ShardMessage.Write(to, query.Selector);
        }

        ShardMessage.Write(to, query.Names);
        to.UVarint((ulong)query.Limit);
        to.UVarint((ulong)query.Pairs.Count);
        foreach (var pair in query.Pairs)
        {
            Write(to, pair);
        }
    }

    /// <summary>Reads a question.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static CardinalityQuery Query(ref ByteReader from)
    {
        var selector = from.Bool() ? ShardMessage.Matchers(ref from) : null;
        var names = ShardMessage.Texts(ref from);
        var limit = from.UpTo(int.MaxValue);
        var pairs = new LabelPair[from.Count(LeastPairBytes)];
        for (var i = 0; i < pairs.Length; i++)
        {
            pairs[i] = Pair(ref from);
        }

        return new CardinalityQuery(selector, names, limit) { Pairs = pairs };
    }

    /// <summary>Writes an answer.</summary>
    public static void Write(ByteWriter to, ShardCardinality found)
    {
        to.SVarint(found.Series);
        to.UVarint((ulong)found.Labels.Count);
        foreach (var label in found.Labels)
        {
            to.Text(label.Name);
            to.SVarint(label.Series);
            to.SVarint(label.Bytes);
            Write(to, label.Values);
        }

        to.UVarint((ulong)found.Frequent.Count);
        foreach (var (pair, series) in found.Frequent)
        {
            Write(to, pair);
            to.SVarint(series);
        }
    }

    /// <summary>Reads an answer.</summary>
    /// <exception cref="InvalidDataException">The bytes are none.</exception>
    public static ShardCardinality Answer(ref ByteReader from)
    {
        var series = from.SVarint();
        var labels = new LabelCardinality[from.Count(LeastLabelBytes)];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = new LabelCardinality(from.Text(), from.SVarint(), from.SVarint(), Distinct(ref from));
        }

        var frequent = new PairCount[from.Count(LeastCountBytes)];
        for (var i = 0; i < frequent.Length; i++)
        {
            frequent[i] = new PairCount(Pair(ref from), from.SVarint());
        }

        return new ShardCardinality(series, labels, frequent);
    }

    private static void Write(ByteWriter to, LabelPair pair)
    {
        to.Text(pair.Name);
        to.Text(pair.Value);
    }

    private static LabelPair Pair(ref ByteReader from) => new(from.Text(), from.Text());

    private static void Write(ByteWriter to, DistinctCount values)
    {
        to.UVarint((ulong)values.Hashes.Count);
        foreach (var hash in values.Hashes)
        {
            to.UInt64(hash);
        }

        to.Block(values.Sketch.Span);
    }

    private static DistinctCount Distinct(ref ByteReader from)
    {
        var hashes = new ulong[from.Count(sizeof(ulong))];
        if (hashes.Length > DistinctCount.ExactMax)
        {
            throw new InvalidDataException($"{hashes.Length} hashes, where more than {DistinctCount.ExactMax} are a sketch");
        }

        for (var i = 0; i < hashes.Length; i++)
        {
            hashes[i] = from.UInt64();
        }

        try
        {
            return new DistinctCount(hashes, from.Block().ToArray());
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }
}
