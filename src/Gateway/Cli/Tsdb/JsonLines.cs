using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>Prints a JSON array, an element a line.</summary>
internal sealed class JsonLines : IDisposable
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly TextWriter output;
    private readonly ArrayBufferWriter<byte> buffer = new();
    private bool any;

    public JsonLines(TextWriter output)
    {
        this.output = output;
        output.Write('[');
    }

    /// <summary>Prints one value.</summary>
    public static void Print(TextWriter output, Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, Options with { Indented = true }))
        {
            write(writer);
        }

        output.WriteLine(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    /// <summary>Prints one element.</summary>
    public void Add(Action<Utf8JsonWriter> write)
    {
        buffer.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            write(writer);
        }

        output.Write(any ? ",\n" : "\n");
        output.Write(Encoding.UTF8.GetString(buffer.WrittenSpan));
        any = true;
    }

    /// <summary>Closes the array.</summary>
    public void Dispose() => output.WriteLine(any ? "\n]" : "]");
}
