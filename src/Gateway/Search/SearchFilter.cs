namespace Metrics.Gateway.Search;

/// <summary>Chooses names by what is searched for: any of some terms, as subsequences, or as substrings and by similarity.</summary>
/// <param name="terms">What is searched for; with none, everything fits.</param>
/// <param name="threshold">The least score, 0 to 1.</param>
/// <param name="isJaroWinkler">Whether terms are substrings, or similar by at least the threshold when that is not 0; else they are subsequences.</param>
/// <param name="isCaseSensitive">Whether upper and lower case differ.</param>
internal sealed class SearchFilter(IEnumerable<string> terms, double threshold, bool isJaroWinkler, bool isCaseSensitive)
{
    private readonly string[] wanted = [.. terms.Where(static t => t.Length > 0).Select(t => isCaseSensitive ? t : t.ToLowerInvariant())];

    /// <summary>How well a name fits, up to 1; null when it doesn't.</summary>
    public double? Score(string name)
    {
        if (wanted.Length == 0)
        {
            return 1;
        }

        var text = isCaseSensitive ? name : name.ToLowerInvariant();
        double? best = null;
        foreach (var term in wanted)
        {
            best = Score(term, text) is { } score && !(score <= best) ? score : best;
        }

        return best;
    }

    private double? Score(string term, string text)
    {
        if (text.StartsWith(term, StringComparison.Ordinal))
        {
            return 1;
        }

        double score;
        if (!isJaroWinkler)
        {
            score = SubsequenceScore.Of(term, text);
            return score > 0 && score >= threshold ? score : null;
        }

        var at = text.IndexOf(term, StringComparison.Ordinal);
        if (at > 0)
        {
            // From 1 at the beginning to 0.1 at the end.
            return 1 - (0.9 * at / (text.Length - term.Length));
        }

        score = threshold > 0 ? JaroWinklerScore.Of(term, text) : 0;
        return score >= threshold && threshold > 0 ? score : null;
    }
}
