namespace Metrics.SideBySide;

/// <summary>Answers of the first run on disk, so that memory does not hold those of all servers until they are compared.</summary>
internal sealed class AnswerFolder : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("metrics-answers-").FullName;
    private readonly Dictionary<(string Server, Query Query), string> files = [];

    /// <summary>Keeps the first answer of a server to a query.</summary>
    public void Keep(string server, Query query, byte[] json)
    {
        var file = Path.Combine(folder, $"{files.Count}.json");
        if (files.TryAdd((server, query), file))
        {
            File.WriteAllBytes(file, json);
        }
    }

    /// <summary>The answer kept; null when there was none.</summary>
    public Answer? Find(string server, Query query) => files.TryGetValue((server, query), out var file) ? Answer.Parse(File.ReadAllBytes(file)) : null;

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
