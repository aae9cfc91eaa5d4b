using System.Text.RegularExpressions;

namespace Metrics.Gateway.Limits;

/// <summary>Which queries of a tenant are refused. All conditions given must hold; the shape is that of Mimir's <c>blocked_queries</c>.</summary>
/// <param name="Pattern">The text of the query as <c>format_query</c> writes it, or a regular expression over all of it; empty for any query.</param>
/// <param name="Regex">The pattern as a regular expression; null when it is text.</param>
/// <param name="Reason">What whoever asks is told; may be empty.</param>
/// <param name="LongerThan">Only queries over a longer time; zero for all.</param>
/// <param name="StepSmallerThan">Only range queries with a smaller step; zero for all.</param>
/// <param name="Unaligned">Only range queries whose start or end is no multiple of the step.</param>
public sealed record BlockedQuery(string Pattern, Regex? Regex, string Reason, TimeSpan LongerThan, TimeSpan StepSmallerThan, bool Unaligned)
{
    /// <summary>True when a query is refused.</summary>
    /// <param name="formatted">Its text as <c>format_query</c> writes it.</param>
    /// <param name="startMs">The first instant.</param>
    /// <param name="endMs">The last instant.</param>
    /// <param name="stepMs">The step; 0 for an instant query.</param>
    public bool Blocks(string formatted, long startMs, long endMs, long stepMs)
    {
        if (LongerThan > TimeSpan.Zero && (double)endMs - startMs <= LongerThan.TotalMilliseconds)
        {
            return false;
        }

        if (StepSmallerThan > TimeSpan.Zero && (stepMs == 0 || stepMs >= StepSmallerThan.TotalMilliseconds))
        {
            return false;
        }

        if (Unaligned && (stepMs == 0 || (startMs % stepMs == 0 && endMs % stepMs == 0)))
        {
            return false;
        }

        return Pattern.Length == 0 || (Regex is null ? Pattern == formatted : Regex.IsMatch(formatted));
    }
}
