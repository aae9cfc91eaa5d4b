using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>What became of one write request.</summary>
/// <param name="Accepted">Samples that are durable, already known ones and native histograms included.</param>
/// <param name="AcceptedHistograms">Of those, the native histograms.</param>
/// <param name="AcceptedExemplars">Exemplars kept, already known ones included.</param>
/// <param name="Rejections">Samples refused for good, one entry for each reason, with the first example; and metadata (<see cref="RejectReason.MetadataTooLong"/>), which is no sample.</param>
/// <param name="Unavailable">Why some shard could not take its part, or null. The sender is to send the whole request again; what was taken is known then.</param>
public sealed record WriteOutcome(int Accepted, int AcceptedHistograms, int AcceptedExemplars, IReadOnlyList<Rejection> Rejections, ShardUnavailableException? Unavailable)
{
    /// <summary>Samples of series that were left out on purpose, by relabelling or because another replica's are taken; no error.</summary>
    public int LeftOut { get; init; }

    /// <summary>True when the gate left out the whole request.</summary>
    public bool IsShut { get; init; }

    /// <summary>Samples refused for good, over all reasons.</summary>
    public int Rejected
    {
        get
        {
            var sum = 0;
            foreach (var rejection in Rejections)
            {
                sum += rejection.Samples;
            }

            return sum;
        }
    }
}

/// <summary>Collects rejections by reason, keeping the first example of each.</summary>
internal sealed class RejectionTally
{
    private static readonly int Reasons = Enum.GetValues<RejectReason>().Length;

    private readonly int[] counts = new int[Reasons];
    private readonly string?[] examples = new string?[Reasons];

    /// <summary>True when nothing was rejected.</summary>
    public bool IsEmpty { get; private set; } = true;

    /// <summary>True when the next rejection for this reason should bring an example.</summary>
    public bool WantsExample(RejectReason reason) => examples[(int)reason] is null;

    /// <summary>Counts samples; the example is kept when it is the first.</summary>
    public void Add(RejectReason reason, int count, string? example)
    {
        if (count == 0)
        {
            return;
        }

        IsEmpty = false;
        counts[(int)reason] += count;
        examples[(int)reason] ??= example;
    }

    /// <summary>Keeps an example for a reason whose samples are counted later.</summary>
    public void NoteExample(RejectReason reason, string example) => examples[(int)reason] ??= example;

    /// <summary>Adds what a shard reported.</summary>
    public void Add(IReadOnlyList<Rejection> rejections)
    {
        foreach (var rejection in rejections)
        {
            Add(rejection.Reason, rejection.Count, rejection.Example);
        }
    }

    /// <summary>The rejections by reason, in the order of <see cref="RejectReason"/>.</summary>
    public IReadOnlyList<Rejection> ToList()
    {
        if (IsEmpty)
        {
            return [];
        }

        var list = new List<Rejection>();
        for (var i = 0; i < counts.Length; i++)
        {
            if (counts[i] > 0)
            {
                list.Add(new Rejection((RejectReason)i, counts[i], examples[i] ?? ""));
            }
        }

        return list;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        IsEmpty = true;
        Array.Clear(counts);
        Array.Clear(examples);
    }
}
