using Metrics.Model;

namespace Metrics.PromQL.Parsing;

/// <summary>Parses and type-checks PromQL as Prometheus 3.14 does, with its wording of errors.</summary>
/// <remarks>Thread-safe. Nesting is bounded, so that no text can exhaust the stack; the length of the text is the caller's to bound.</remarks>
public static class PromQLParser
{
    /// <summary>Parses one expression.</summary>
    /// <exception cref="PromQLParseException">The text is no well-typed expression.</exception>
    public static Expr Parse(string query, ParseOptions options)
    {
        var expr = new ExprParser(query, options).ParseQuery();
        return new TypeChecker(query).Check(expr);
    }

    /// <summary>Parses one instant vector selector without modifiers, as in <c>match[]</c>; matchers that match nothing are the caller's to refuse.</summary>
    /// <exception cref="PromQLParseException">The text is no selector.</exception>
    public static IReadOnlyList<Matcher> ParseSelector(string selector) => new ExprParser(selector, ParseOptions.All).ParseSelectorOnly().Matchers;
}

/// <summary>A query that does not parse or type-check. The message is Prometheus's, with line and column.</summary>
public sealed class PromQLParseException(string message, PositionRange position) : Exception(message)
{
    /// <summary>Where the error is.</summary>
    public PositionRange Position { get; } = position;
}
