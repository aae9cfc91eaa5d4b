using Metrics.PromQL.Parsing;

namespace Metrics.PromQL;

/// <summary>A remark about a query that was answered all the same.</summary>
/// <param name="IsWarning">True for a warning, false for an info.</param>
/// <param name="Message">Prometheus's text, without prefix and position.</param>
/// <param name="Position">The expression it is about, in the original query text.</param>
public readonly record struct Annotation(bool IsWarning, string Message, PositionRange Position);

/// <summary>The annotations of one query, each once. Thread-safe.</summary>
public sealed class AnnotationSet
{
    private readonly HashSet<Annotation> seen = [];
    private readonly List<Annotation> ordered = [];

    /// <summary>Adds a remark unless it is there already.</summary>
    public void Add(Annotation annotation)
    {
        lock (seen)
        {
            if (seen.Add(annotation))
            {
                ordered.Add(annotation);
            }
        }
    }

    /// <summary>Adds a warning.</summary>
    public void Warn(string message, PositionRange position) => Add(new(true, message, position));

    /// <summary>Adds an info.</summary>
    public void Info(string message, PositionRange position) => Add(new(false, message, position));

    /// <summary>All remarks in the order they came.</summary>
    public IReadOnlyList<Annotation> ToList()
    {
        lock (seen)
        {
            return [.. ordered];
        }
    }
}
