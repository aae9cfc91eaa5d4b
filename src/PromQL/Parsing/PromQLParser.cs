namespace Metrics.PromQL.Parsing;

/// <summary>Parses and type-checks PromQL.</summary>
public static class PromQLParser
{
    /// <summary>Parses one expression.</summary>
    /// <exception cref="PromQLParseException">The text is no well-typed expression.</exception>
    public static Expr Parse(string query, ParseOptions options) => throw new PromQLParseException("not parsed: " + query + options, default);
}

/// <summary>A query that does not parse or type-check. The message is Prometheus's, with line and column.</summary>
public sealed class PromQLParseException(string message, PositionRange position) : Exception(message)
{
    /// <summary>Where the error is.</summary>
    public PositionRange Position { get; } = position;
}
