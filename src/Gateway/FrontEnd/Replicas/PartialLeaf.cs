using Metrics.Cluster;
using Metrics.PromQL;

namespace Metrics.Gateway.FrontEnd;

/// <summary>A shard that, when it can't answer, gives nothing and a warning: what Thanos's <c>partial_response</c> asks for.</summary>
/// <param name="shard">The shard.</param>
/// <param name="warnings">Where the warnings of one query go.</param>
internal sealed class PartialLeaf(IQueryLeaf shard, PartialWarnings warnings) : IQueryLeaf
{
    /// <inheritdoc/>
    public async ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation)
    {
        try
        {
            return await shard.RunAsync(fragment, cancellation);
        }
        catch (ShardUnavailableException e) when (!e.IsMoved)
        {
            warnings.Add(e.Message);
        }
        catch (QueryException e) when (e.Kind == QueryErrorKind.Unavailable)
        {
            warnings.Add(e.Message);
        }

        return new FragmentResult();
    }
}

/// <summary>What a partial answer lacks, each once. Thread-safe.</summary>
internal sealed class PartialWarnings
{
    private readonly SortedSet<string> texts = new(StringComparer.Ordinal);

    /// <summary>Notes something that is missing.</summary>
    public void Add(string text)
    {
        lock (texts)
        {
            texts.Add(text);
        }
    }

    /// <summary>What was noted so far.</summary>
    public IReadOnlyList<string> Texts
    {
        get
        {
            lock (texts)
            {
                return [.. texts];
            }
        }
    }

    /// <summary>What a shard answers, or nothing and a warning when it can't answer.</summary>
    public async Task<IReadOnlyList<T>> OrNothingAsync<T>(Func<ValueTask<IReadOnlyList<T>>> ask)
    {
        try
        {
            return await ask();
        }
        catch (ShardUnavailableException e) when (!e.IsMoved)
        {
            Add(e.Message);
            return [];
        }
    }

    /// <summary>The answer with its own warnings and these.</summary>
    public QueryResult AddTo(QueryResult answer)
    {
        lock (texts)
        {
            return texts.Count == 0 ? answer : new QueryResult
            {
                Type = answer.Type,
                Series = answer.Series,
                Text = answer.Text,
                TimeMs = answer.TimeMs,
                Warnings = [.. answer.Warnings, .. texts],
                Infos = answer.Infos,
                Statistics = answer.Statistics,
                Analysis = answer.Analysis,
                Memory = answer.Memory,
            };
        }
    }
}
