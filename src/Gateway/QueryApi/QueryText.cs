using System.Text.Encodings.Web;
using System.Text.Json;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.QueryApi;

/// <summary>A query as text again: pretty, or as its syntax tree.</summary>
internal static class QueryText
{
    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The query, broken over lines where it is long.</summary>
    /// <exception cref="PromQLParseException">It does not parse.</exception>
    public static string Pretty(string query, ParseOptions options) => PrettyPrinter.Print(PromQLParser.Parse(query, options));

    /// <summary>The syntax tree as JSON.</summary>
    /// <exception cref="PromQLParseException">It does not parse.</exception>
    public static byte[] TreeJson(string query, ParseOptions options)
    {
        var expression = PromQLParser.Parse(query, options);
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Json))
        {
            AstJson.Write(json, expression);
        }

        return bytes.ToArray();
    }
}
