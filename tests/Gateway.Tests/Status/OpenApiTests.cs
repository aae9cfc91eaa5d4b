using Metrics.Gateway.OpenApi;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Tests.Status;

public sealed class OpenApiTests
{
    [Fact]
    public async Task TheDocumentHasEveryRouteAndNoOther()
    {
        await using var app = await RealGateway.StartAsync((o, _) => o.Http.RoutePrefix = "/prometheus");
        var (root, _) = await ReadAsync(app);
        Assert.Equal("3.1.0", Text(root, "openapi"));
        Assert.Equal("/prometheus", Text((YamlMappingNode)((YamlSequenceNode)root.Children["servers"])[0], "url"));
        var paths = (YamlMappingNode)root.Children["paths"];
        var documented = paths.Children.SelectMany(p => ((YamlMappingNode)p.Value).Children.Keys.Select(k => $"{k}").Where(k => k != "parameters").Select(m => $"{m.ToUpperInvariant()} {p.Key}"));
        Assert.Equal(
            app.Routes.SelectMany(r => r.Methods.Select(m => $"{m} {r.Path.Replace("{*", "{", StringComparison.Ordinal)}")).Order(StringComparer.Ordinal),
            documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task WhatIsDescribedIsServed()
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal([], RouteParameters.Handlers.Except(app.Routes.Select(r => r.Handler)));
    }

    [Fact]
    public async Task OperationsAreWhatTheSpecificationAsksFor()
    {
        await using var app = await RealGateway.StartAsync();
        var (root, text) = await ReadAsync(app);
        foreach (var required in new[] { "title", "version" })
        {
            Assert.NotEmpty(Text((YamlMappingNode)root.Children["info"], required));
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (path, item) in ((YamlMappingNode)root.Children["paths"]).Children)
        {
            Assert.StartsWith("/", $"{path}", StringComparison.Ordinal);
            var variables = $"{path}".Split('{').Skip(1).Select(s => s[..s.IndexOf('}')]).ToList();
            var declared = Children(item, "parameters").Select(p => (Text(p, "name"), Text(p, "in"), Text(p, "required")));
            Assert.Equal(variables.Select(v => (v, "path", "true")), declared);
            foreach (var (method, operation) in ((YamlMappingNode)item).Children.Where(c => $"{c.Key}" != "parameters"))
            {
                Assert.Contains($"{method}", (string[])["get", "put", "post", "delete", "head"]);
                Assert.True(names.Add(Text(operation, "operationId")), $"{method} {path}: {Text(operation, "operationId")} is there twice");
                Assert.NotEmpty(((YamlMappingNode)((YamlMappingNode)operation).Children["responses"]).Children);
                Assert.All(Children(operation, "parameters"), p => Assert.Equal("query", Text(p, "in")));
                Assert.Equal(Children(operation, "parameters").Count(), Children(operation, "parameters").Select(p => Text(p, "name")).Distinct().Count());
                Assert.False($"{method}" is "get" or "head" && ((YamlMappingNode)operation).Children.ContainsKey("requestBody"), $"{method} {path} has a body");
            }
        }

        Assert.NotEmpty(((YamlMappingNode)((YamlMappingNode)((YamlMappingNode)root.Children["components"]).Children["responses"]).Children["Error"]).Children);
        Assert.All(text.Split('\n').Where(l => l.Contains("$ref", StringComparison.Ordinal)), l => Assert.Equal("$ref: '#/components/responses/Error'", l.Trim()));
    }

    private static async Task<(YamlMappingNode Root, string Text)> ReadAsync(RealGateway app)
    {
        var answer = await app.GetAsync("/api/v1/openapi.yaml");
        Assert.Equal(200, answer.Code);
        Assert.Contains("Content-Type: application/yaml; charset=utf-8", answer.Headers, StringComparison.Ordinal);
        var yaml = new YamlStream();
        yaml.Load(new StringReader(answer.Body));
        return ((YamlMappingNode)yaml.Documents[0].RootNode, answer.Body);
    }

    private static string Text(YamlNode of, string key) => $"{((YamlMappingNode)of).Children[key]}";

    private static IEnumerable<YamlNode> Children(YamlNode of, string key) => ((YamlMappingNode)of).Children.TryGetValue(key, out var list) ? (YamlSequenceNode)list : [];
}
