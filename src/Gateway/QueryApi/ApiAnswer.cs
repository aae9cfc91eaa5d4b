using System.IO.Pipelines;

namespace Metrics.Gateway.QueryApi;

/// <summary>A successful answer: the data, which is written when asked, and remarks.</summary>
/// <remarks>Disposed after it was written; then <paramref name="owner"/> gives back what the data was borrowed from.</remarks>
internal sealed class ApiAnswer(Func<PipeWriter, CancellationToken, ValueTask> writeData, IDisposable? owner = null) : IDisposable
{
    /// <summary>Warnings, in order.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Infos, in order.</summary>
    public IReadOnlyList<string> Infos { get; init; } = [];

    /// <summary>Done, and nothing to say: 204.</summary>
    public static ApiAnswer NoContent { get; } = Small(static _ => { });

    /// <summary>The type of an answer that is text and has no envelope; null for JSON in one.</summary>
    public string? ContentType { get; private init; }

    /// <summary>The text.</summary>
    public string Content { get; private init; } = "";

    /// <summary>An answer that is text of another type than JSON.</summary>
    public static ApiAnswer Text(string contentType, string content) => new(static (_, _) => ValueTask.CompletedTask) { ContentType = contentType, Content = content };

    /// <summary>The bytes of an answer that is neither JSON nor text.</summary>
    public ReadOnlyMemory<byte>? ContentBytes { get; private init; }

    /// <summary>An answer that is neither JSON nor text.</summary>
    public static ApiAnswer Binary(string contentType, ReadOnlyMemory<byte> content) => new(static (_, _) => ValueTask.CompletedTask) { ContentType = contentType, ContentBytes = content };

    /// <summary>True for JSON that stands by itself, as other APIs than Prometheus's have it.</summary>
    public bool IsBare { get; private init; }

    /// <summary>JSON without an envelope.</summary>
    public static ApiAnswer Bare(Func<PipeWriter, CancellationToken, ValueTask> write, IDisposable? owner = null) => new(write, owner) { IsBare = true };

    /// <summary>JSON without an envelope, small enough to be written in one go.</summary>
    public static ApiAnswer Bare(Action<PipeWriter> write) => Bare((writer, _) =>
    {
        write(writer);
        return ValueTask.CompletedTask;
    });

    /// <summary>An answer small enough to be written in one go.</summary>
    public static ApiAnswer Small(Action<PipeWriter> write, IReadOnlyList<string>? warnings = null) => new((writer, _) =>
    {
        write(writer);
        return ValueTask.CompletedTask;
    })
    {
        Warnings = warnings ?? [],
    };

    /// <summary>Writes the value of <c>data</c>.</summary>
    public ValueTask WriteDataAsync(PipeWriter writer, CancellationToken cancellation) => writeData(writer, cancellation);

    /// <inheritdoc/>
    public void Dispose() => owner?.Dispose();
}
