using System.Globalization;
using System.Text;
using System.Text.Json;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;

namespace Metrics.Gateway.OpenApi;

/// <summary>Writes the routes as an OpenAPI document (spec.openapis.org/oas/v3.1.0), in YAML: every path and method that is served.</summary>
internal static class OpenApiDocument
{
    private const string Version = "3.1.0";
    private const string Form = "application/x-www-form-urlencoded";
    private const string Json = "application/json";

    /// <summary>The document.</summary>
    /// <param name="routes">All that is served.</param>
    /// <param name="prefix">What stands before every path; may be empty.</param>
    public static string Write(IEnumerable<HttpRoute> routes, string prefix)
    {
        var text = new StringBuilder();
        Line(text, 0, $"openapi: {Version}");
        Line(text, 0, "info:");
        Line(text, 1, "title: Metrics");
        Line(text, 1, "description: A multi-tenant backend that speaks Prometheus's HTTP API. The header X-Scope-OrgID names the tenant.");
        Line(text, 1, $"version: {Quote(BuildVersion.Own)}");
        Line(text, 1, "license:");
        Line(text, 2, "name: Apache-2.0");
        Line(text, 2, "identifier: Apache-2.0");
        Line(text, 0, "servers:");
        Line(text, 1, $"- url: {Quote(prefix.Length == 0 ? "/" : prefix)}");
        Line(text, 0, "paths:");
        foreach (var path in routes.GroupBy(static r => Templated(r.Path), StringComparer.Ordinal).OrderBy(static g => g.Key, StringComparer.Ordinal))
        {
            Line(text, 1, Quote(path.Key) + ":");
            WritePathParameter(text, path.Key);
            foreach (var (method, route) in path.SelectMany(static r => r.Methods.Select(m => (m, r))))
            {
                WriteOperation(text, path.Key, method, route);
            }
        }

        WriteComponents(text);
        return text.ToString();
    }

    private static void WriteOperation(StringBuilder text, string path, string method, HttpRoute route)
    {
        var (summary, parameters) = RouteParameters.Of(route.Handler);
        Line(text, 2, method.ToLowerInvariant() + ":");
        Line(text, 3, $"operationId: {Quote(method.ToLowerInvariant() + Slug(path))}");
        Line(text, 3, $"summary: {Quote(summary)}");
        Line(text, 3, $"tags: [{Tag(path)}]");
        if (route.AccessBy(method) == RouteAccess.Open)
        {
            Line(text, 3, "security: [{}]");
        }

        var inForm = method == "POST" && route.Methods.Contains("GET");
        if (parameters.Count > 0 && !inForm)
        {
            Line(text, 3, "parameters:");
            foreach (var parameter in parameters)
            {
                Line(text, 4, $"- name: {Quote(parameter.Name)}");
                Line(text, 5, "in: query");
                Line(text, 5, $"required: {(parameter.IsRequired ? "true" : "false")}");
                Line(text, 5, $"schema: {Schema(parameter.Kind)}");
            }
        }

        if (inForm)
        {
            WriteForm(text, parameters);
        }
        else if (method is "POST" or "PUT")
        {
            Line(text, 3, "requestBody:");
            Line(text, 4, "content:");
            Line(text, 5, "'*/*': {}");
        }

        Line(text, 3, "responses:");
        Line(text, 4, "'200':");
        Line(text, 5, "description: Done.");
        if (path.StartsWith("/api/v1/", StringComparison.Ordinal) && method == "GET")
        {
            Line(text, 5, "content:");
            Line(text, 6, Json + ": {}");
        }

        Line(text, 4, "default:");
        Line(text, 5, "$ref: '#/components/responses/Error'");
    }

    private static void WriteForm(StringBuilder text, IReadOnlyList<RouteParameter> parameters)
    {
        Line(text, 3, "requestBody:");
        Line(text, 4, "content:");
        Line(text, 5, Form + ":");
        Line(text, 6, "schema:");
        Line(text, 7, "type: object");
        if (parameters.Count > 0)
        {
            Line(text, 7, "properties:");
            foreach (var parameter in parameters)
            {
                Line(text, 8, $"{Quote(parameter.Name)}: {Schema(parameter.Kind)}");
            }
        }

        var required = parameters.Where(static p => p.IsRequired).Select(static p => Quote(p.Name)).ToList();
        if (required.Count > 0)
        {
            Line(text, 7, $"required: [{string.Join(", ", required)}]");
        }
    }

    private static void WritePathParameter(StringBuilder text, string path)
    {
        var open = path.IndexOf('{', StringComparison.Ordinal);
        if (open >= 0)
        {
            Line(text, 2, "parameters:");
            Line(text, 3, $"- name: {Quote(path[(open + 1)..path.IndexOf('}', StringComparison.Ordinal)])}");
            Line(text, 4, "in: path");
            Line(text, 4, "required: true");
            Line(text, 4, "schema: {type: string}");
        }
    }

    private static void WriteComponents(StringBuilder text)
    {
        Line(text, 0, "security:");
        Line(text, 1, "- {}");
        Line(text, 1, "- basic: []");
        Line(text, 1, "- bearer: []");
        Line(text, 0, "components:");
        Line(text, 1, "securitySchemes:");
        Line(text, 2, "basic: {type: http, scheme: basic}");
        Line(text, 2, "bearer: {type: http, scheme: bearer}");
        Line(text, 1, "responses:");
        Line(text, 2, "Error:");
        Line(text, 3, "description: What is wrong. Writing and operating endpoints say it as text.");
        Line(text, 3, "content:");
        Line(text, 4, Json + ":");
        Line(text, 5, "schema:");
        Line(text, 6, "type: object");
        Line(text, 6, "required: [status, errorType, error]");
        Line(text, 6, "properties:");
        Line(text, 7, "status: {type: string, const: error}");
        Line(text, 7, "errorType: {type: string}");
        Line(text, 7, "error: {type: string}");
    }

    private static string Schema(ParameterKind kind) => kind switch
    {
        ParameterKind.Texts => "{type: array, items: {type: string}}",
        ParameterKind.Number => "{type: integer, minimum: 0}",
        ParameterKind.Flag => "{type: boolean}",
        _ => "{type: string}",
    };

    private static string Templated(string path) => path.Replace("{*", "{", StringComparison.Ordinal);

    private static string Tag(string path) =>
        path.StartsWith("/api/v1/status/", StringComparison.Ordinal) ? "status"
        : path.StartsWith("/api/v1/admin/", StringComparison.Ordinal) ? "admin"
        : path.StartsWith("/api/v1/", StringComparison.Ordinal) ? "api"
        : "operation";

    /// <summary>A path as a name: its letters and digits, each word beginning with a capital.</summary>
    private static string Slug(string path)
    {
        var text = new StringBuilder();
        var isStart = true;
        foreach (var letter in path.Replace("/-/", "/process/", StringComparison.Ordinal))
        {
            if (char.IsAsciiLetterOrDigit(letter))
            {
                text.Append(isStart ? char.ToUpper(letter, CultureInfo.InvariantCulture) : letter);
            }

            isStart = !char.IsAsciiLetterOrDigit(letter);
        }

        return text.Length == 0 ? "Root" : text.ToString();
    }

    /// <summary>A text as YAML has it, which takes JSON's strings.</summary>
    private static string Quote(string text) => JsonSerializer.Serialize(text);

    private static void Line(StringBuilder text, int depth, string line) => text.Append(' ', depth * 2).Append(line).Append('\n');
}
