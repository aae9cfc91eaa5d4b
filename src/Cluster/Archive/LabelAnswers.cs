using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Cluster;

/// <summary>What blocks of this process answered about their labels, in memory: the least recently used go first. Thread-safe.</summary>
/// <remarks>A block never changes, and of one that overlaps a request's range all labels are told, so an answer holds for as long as the block does: a request over months asks again only of blocks that are new.</remarks>
/// <param name="maxBytes">The most memory, about; 0 keeps nothing.</param>
internal sealed class LabelAnswers(long maxBytes)
{
    /// <summary>The part of the whole that one answer may take: a label with millions of values would drive out all others.</summary>
    private const int LargestPart = 4;

    private const int ItemBytes = 200;
    private const int StringBytes = 32;

    private readonly Lock gate = new();
    private readonly Dictionary<Question, LinkedListNode<Item>> items = [];
    private readonly LinkedList<Item> byUse = [];

    /// <summary>The memory held, about.</summary>
    public long Bytes { get; private set; }

    /// <summary>What a block answered; null when that is not known.</summary>
    public IReadOnlyList<string>? Find(Question question)
    {
        lock (gate)
        {
            if (!items.TryGetValue(question, out var node))
            {
                return null;
            }

            byUse.Remove(node);
            byUse.AddLast(node);
            return node.Value.Answer;
        }
    }

    /// <summary>Keeps what a block answered, which nobody changes any more.</summary>
    public void Put(Question question, IReadOnlyList<string> answer)
    {
        var bytes = ItemBytes + (2L * question.Text.Length);
        foreach (var text in answer)
        {
            bytes += StringBytes + (2L * text.Length);
        }

        if (bytes > maxBytes / LargestPart)
        {
            return;
        }

        lock (gate)
        {
            if (items.ContainsKey(question))
            {
                return;
            }

            items.Add(question, byUse.AddLast(new Item(question, answer, bytes)));
            for (Bytes += bytes; Bytes > maxBytes; Bytes -= byUse.First!.Value.Bytes, byUse.RemoveFirst())
            {
                items.Remove(byUse.First!.Value.Question);
            }
        }
    }

    /// <summary>What a block was asked.</summary>
    /// <param name="Shard">Whose: names of blocks that were uploaded are their senders' choice.</param>
    /// <param name="Block">Which block.</param>
    /// <param name="Within">The hashes whose series count.</param>
    /// <param name="Text">Which labels, of which series.</param>
    public readonly record struct Question(ShardId Shard, Ulid Block, HashRange Within, string Text)
    {
        /// <summary>The names of labels.</summary>
        public static string Names(IReadOnlyList<Matcher> matchers) => $"{{{string.Join(',', matchers)}}}";

        /// <summary>The values of a label.</summary>
        public static string Values(string name, IReadOnlyList<Matcher> matchers) => $"{name}{Names(matchers)}";
    }

    private sealed record Item(Question Question, IReadOnlyList<string> Answer, long Bytes);
}
