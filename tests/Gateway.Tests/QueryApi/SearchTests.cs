using Metrics.Gateway.Search;
using Xunit;

namespace Metrics.Gateway.Tests.QueryApi;

public sealed class SearchTests
{
    [Theory]
    [InlineData("metric_names", "", """{"results":[{"name":"go_threads"},{"name":"http_errors"},{"name":"http_requests"}]}""", false)]
    [InlineData("metric_names", "search[]=http", """{"results":[{"name":"http_errors"},{"name":"http_requests"}]}""", false)]
    [InlineData("metric_names", "search[]=HTTP", """{"results":[]}""", false)]
    [InlineData("metric_names", "search[]=HTTP&case_sensitive=false&sort_by=alpha&sort_dir=dsc", """{"results":[{"name":"http_requests"},{"name":"http_errors"}]}""", false)]
    [InlineData("metric_names", "search[]=reqs&search[]=threads&limit=1&sort_by=score", """{"results":[{"name":"go_threads"}]}""", true)]
    [InlineData("metric_names", "search[]=go&search[]=zzz&fuzz_alg=jarowinkler&include_score=1", """{"results":[{"name":"go_threads","score":1}]}""", false)]
    [InlineData("metric_names", "match[]={code=\"500\"}", """{"results":[{"name":"http_errors"}]}""", false)]
    [InlineData("metric_names", "batch_size=2", "{\"results\":[{\"name\":\"go_threads\"},{\"name\":\"http_errors\"}]}\n{\"results\":[{\"name\":\"http_requests\"}]}", false)]
    [InlineData("label_names", "search[]=ode", """{"results":[{"name":"code"}]}""", false)]
    [InlineData("label_values", "label=code", """{"results":[{"value":"200"},{"value":"500"}]}""", false)]
    public async Task NamesAreFoundByTheirParts(string what, string parameters, string lines, bool hasMore)
    {
        await using var app = await RealGateway.StartAsync();
        Assert.Equal(204, (await app.WriteAsync("default", "__name__=http_requests,code=200", "__name__=http_errors,code=500", "__name__=go_threads")).Code);
        Assert.Equal(204, (await app.WriteAsync("other", "__name__=http_secret,code=404")).Code);
        var answer = await app.GetAsync($"/api/v1/search/{what}?{parameters}");
        Assert.Equal(lines + $"\n{{\"status\":\"success\",\"has_more\":{(hasMore ? "true" : "false")}}}\n", answer.Body);
        Assert.Contains("Content-Type: application/x-ndjson", answer.Headers, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("label_values", "missing required parameter \\\"label\\\"")]
    [InlineData("metric_names?start=2&end=1", "end timestamp must not be before start timestamp")]
    [InlineData("metric_names?fuzz_threshold=101", "invalid fuzz_threshold \\\"101\\\": must be 0-100")]
    [InlineData("metric_names?fuzz_alg=x", "unsupported fuzz_alg \\\"x\\\": must be one of [subsequence jarowinkler]")]
    [InlineData("metric_names?sort_dir=asc", "sort_dir is only valid when sort_by is set")]
    [InlineData("metric_names?sort_by=score", "sort_by=score requires search[] to be set")]
    [InlineData("metric_names?sort_by=size", "invalid sort_by \\\"size\\\": must be \\\"alpha\\\" or \\\"score\\\"")]
    [InlineData("metric_names?limit=0", "invalid limit \\\"0\\\": must be a positive integer")]
    [InlineData("metric_names?limit=10001", "limit 10001 exceeds the configured maximum (10000)")]
    [InlineData("metric_names?include_score=maybe", "invalid include_score \\\"maybe\\\": must be boolean")]
    public async Task WhatIsWrongIsSaid(string path, string error)
    {
        await using var app = await RealGateway.StartAsync();
        var answer = await app.GetAsync("/api/v1/search/" + path);
        Assert.Equal((400, $$"""{"status":"error","errorType":"bad_data","error":"{{error}}"}"""), (answer.Code, answer.Body.Replace("\\u0022", "\\\"", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task MetadataIsThereWhenAskedFor()
    {
        await using var app = await RealGateway.StartAsync();
        byte[] message = [.. WriteMessage.Of(WriteMessage.Series("__name__=hits", (TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds(), 1))), .. WriteMessage.Metadata(1, "hits", "How many.", "")];
        Assert.Equal(204, (await app.SendAsync(HttpMethod.Post, "/api/v1/write", RealGateway.Body(message))).Code);
        Assert.StartsWith("""{"results":[{"name":"hits","type":"counter","help":"How many."}]}""", (await app.GetAsync("/api/v1/search/metric_names?include_metadata=true")).Body, StringComparison.Ordinal);
    }

    // Scores follow from the definitions, worked out by hand.
    [Theory]
    [InlineData("abc", "abc", 1)]
    [InlineData("abc", "ab", 0)]
    [InlineData("abc", "acb", 0)]
    [InlineData("ab", "xab", 0.999 * (4 - (1.0 / 3)) / 4)]
    [InlineData("ac", "abc", 0.999 * (1 + 1 - (1.0 / 3)) / 4)]
    [InlineData("ab", "abxx", 0.999 * (4 - 0.25) / 4)]
    [InlineData("ab", "axab", 0.999 * (4 - 0.5) / 4)]
    public void SubsequencesScoreByTheirRuns(string term, string text, double score) => Assert.Equal(score, SubsequenceScore.Of(term, text), 12);

    // The first three are Winkler's own.
    [Theory]
    [InlineData("MARTHA", "MARHTA", 0.961111)]
    [InlineData("DWAYNE", "DUANE", 0.84)]
    [InlineData("DIXON", "DICKSONX", 0.813333)]
    [InlineData("abc", "abc", 1)]
    [InlineData("abc", "xyz", 0)]
    [InlineData("", "xyz", 0)]
    public void SimilarityIsJarosAndWinklers(string one, string other, double score)
    {
        Assert.Equal(score, JaroWinklerScore.Of(one, other), 6);
        Assert.Equal(score, JaroWinklerScore.Of(other, one), 6);
    }
}
