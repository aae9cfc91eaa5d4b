using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What blocks of this process answered about their labels, in memory: the least recently used go first. Thread-safe.</summary>
/// <remarks>
/// A block never changes, and of one that overlaps a request's range all labels are told, so an answer holds for as long as the block does: a request over months asks again only of blocks that are new.
/// Of series it is kept when each has chunks (<see cref="SeriesTimes"/>), so that one answer serves every range. Days that are kept apart, as those of range queries are, could not give the same
/// answers: which series a request shows depends on how samples lie in chunks and blocks, and on deletions over its whole range.
/// </remarks>
/// <param name="maxBytes">The most memory, about; 0 keeps nothing.</param>
internal sealed class LabelAnswers(long maxBytes)
{
    /// <summary>The part of the whole that one answer may take: a label with millions of values would drive out all others.</summary>
    private const int LargestPart = 4;

    private const int ItemBytes = 200;
    private const int StringBytes = 32;

    private readonly Lock gate = new();
    private readonly RecentlyUsed<Question, Answer> items = new(maxBytes, maxItems: 0);

    /// <summary>The memory held, about.</summary>
    public long Bytes
    {
        get
        {
            lock (gate)
            {
                return items.Bytes;
            }
        }
    }

    /// <summary>The most memory that one answer may take to be kept.</summary>
    public long LargestBytes => Math.Max(0, (maxBytes / LargestPart) - ItemBytes);

    /// <summary>The names or values that a block answered; null when that is not known.</summary>
    public IReadOnlyList<string>? Find(Question question) => Look(question)?.Texts;

    /// <summary>The series that a block answered: false when that is not known, null when they are too many to be kept.</summary>
    public bool TryFindSeries(Question question, out SeriesTimes? series)
    {
        var answer = Look(question);
        series = answer?.Series;
        return answer is not null;
    }

    /// <summary>Keeps what a block answered, which nobody changes any more.</summary>
    public void Put(Question question, IReadOnlyList<string> answer)
    {
        var bytes = 0L;
        foreach (var text in answer)
        {
            bytes += StringBytes + (2L * text.Length);
        }

        Keep(question, new Answer(answer, null), bytes);
    }

    /// <summary>The same of series; null for those that are too many, so that they are not collected again to find that out.</summary>
    public void Put(Question question, SeriesTimes? series) => Keep(question, new Answer([], series), series?.Bytes ?? 0);

    /// <summary>Forgets what blocks of a shard answered that nobody will ask any more. A reader that still holds one may add to it; that goes when it is the least recently used.</summary>
    public void Forget(ShardId shard, IReadOnlySet<Ulid> blocks)
    {
        lock (gate)
        {
            items.RemoveAll(q => q.Shard == shard && blocks.Contains(q.Block));
        }
    }

    private Answer? Look(Question question)
    {
        lock (gate)
        {
            return items.TryGet(question, out var answer) ? answer : null;
        }
    }

    private void Keep(Question question, Answer answer, long bytes)
    {
        bytes += ItemBytes + (2L * question.Text.Length);
        if (bytes <= maxBytes / LargestPart)
        {
            lock (gate)
            {
                items.Set(question, answer, bytes);
            }
        }
    }

    /// <summary>What a block was asked.</summary>
    /// <param name="Shard">Whose: names of blocks that were uploaded are their senders' choice.</param>
    /// <param name="Block">Which block.</param>
    /// <param name="Within">The hashes whose series count.</param>
    /// <param name="Text">Which labels, of which series.</param>
    /// <param name="OfSeries">True when the series themselves are asked for, with their times.</param>
    public readonly record struct Question(ShardId Shard, Ulid Block, HashRange Within, string Text, bool OfSeries = false)
    {
        /// <summary>The names of labels, or the series.</summary>
        public static string Names(IReadOnlyList<Matcher> matchers) => $"{{{string.Join(',', matchers)}}}";

        /// <summary>The values of a label.</summary>
        public static string Values(string name, IReadOnlyList<Matcher> matchers) => $"{name}{Names(matchers)}";
    }

    private sealed record Answer(IReadOnlyList<string> Texts, SeriesTimes? Series);
}
