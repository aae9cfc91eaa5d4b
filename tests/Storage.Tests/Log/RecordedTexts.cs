using System.Text;

namespace Metrics.Storage.Tests.Log;

/// <summary>Keeps the records of a log, which are texts, as it is shown them.</summary>
internal sealed class RecordedTexts : ILogVisitor
{
    public List<string> Records { get; } = [];

    public void Visit(long number, ReadOnlySpan<byte> payload, long position) => Records.Add(Encoding.UTF8.GetString(payload));
}
