
namespace Metrics.PromQL;

/// <summary>Annotations as the HTTP API shows them.</summary>
internal static class AnnotationText
{
    /// <summary><c>PromQL warning: message (line:column)</c>, or info.</summary>
    public static string Of(Annotation annotation, byte[] query) =>
        $"PromQL {(annotation.IsWarning ? "warning" : "info")}: {annotation.Message} ({Place(annotation.Position.Start, query)})";

    private static string Place(int at, byte[] query)
    {
        if (at < 0 || at > query.Length)
        {
            return "invalid position";
        }

        var before = query.AsSpan(0, at);
        return $"{before.Count((byte)'\n') + 1}:{at - before.LastIndexOf((byte)'\n')}";
    }
}
