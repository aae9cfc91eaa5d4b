namespace Metrics.Gateway.Search;

/// <summary>How well a term fits a text in which its characters stand in order, with others between them.</summary>
/// <remarks>
/// From each place of the first character the following ones are taken where they come first. Runs count by the square of their length; characters before and between them cost their part of the text, those
/// behind half of it. The best place counts, by the square of the term's length. prometheus/prometheus util/strutil/subsequence.go.
/// </remarks>
internal static class SubsequenceScore
{
    // So that what is not the same never scores as what is.
    private const double NotTheSame = 0.999;

    /// <summary>0 for no match, 1 for the term itself, between them for the rest.</summary>
    public static double Of(ReadOnlySpan<char> term, ReadOnlySpan<char> text)
    {
        if (term.IsEmpty || term.SequenceEqual(text))
        {
            return 1;
        }

        var best = -1.0;
        for (var start = 0; start <= text.Length - term.Length; start++)
        {
            if (text[start] == term[0])
            {
                // Where the rest is not to be found, it is not behind a later place either.
                if (ScoreFrom(term, text, start) is not { } score)
                {
                    break;
                }

                best = Math.Max(best, score);
            }
        }

        return best < 0 ? 0 : best / ((double)term.Length * term.Length) * NotTheSame;
    }

    private static double? ScoreFrom(ReadOnlySpan<char> term, ReadOnlySpan<char> text, int start)
    {
        var (score, found, end) = (0.0, 0, 0);
        for (var at = start; found < term.Length; at = end)
        {
            var skipped = text[at..].IndexOf(term[found]);
            if (skipped < 0)
            {
                return null;
            }

            var run = text[(at + skipped)..].CommonPrefixLength(term[found..]);
            score += ((double)run * run) - ((double)(at + skipped - end) / text.Length);
            found += run;
            end = at + skipped + run;
        }

        return score - ((double)(text.Length - end) / text.Length * 0.5);
    }
}
