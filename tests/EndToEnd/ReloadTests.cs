using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Metrics.EndToEnd.Programs;
using Xunit;

namespace Metrics.EndToEnd;

/// <summary>What an operator does by hand: hashes a password, changes files, sends SIGHUP.</summary>
public sealed class ReloadTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task AHashedPasswordLetsItsOwnerInAndNobodyElse()
    {
        var auth = directory.Sub("auth.yml");
        await File.WriteAllTextAsync(auth, $"identities:\n  - {{name: a, username: ann, password_hash: {await HashAsync("correct horse")}, read: [a]}}\n");
        using var server = await MetricsServer.StartAsync(directory.Sub("data"), "--security-auth-file", auth);
        Assert.Equal(HttpStatusCode.OK, await LogInAsync(server, "ann", "correct horse"));
        Assert.Equal(HttpStatusCode.Unauthorized, await LogInAsync(server, "ann", "correct horse "));
        Assert.Equal(HttpStatusCode.Unauthorized, await LogInAsync(server, "bob", "correct horse"));
        Assert.DoesNotContain("correct horse", server.Program.Output);
    }

    [Fact]
    public async Task TheSamePasswordHasAnotherHashEachTimeAndAnEmptyOneNone()
    {
        Assert.NotEqual(await HashAsync("x"), await HashAsync("x"));
        var (code, output) = await RunningProgram.RunAsync("sh", "-c", $"echo | dotnet {MetricsServer.AssemblyPath} hash-password");
        Assert.Equal(2, code);
        Assert.Contains("no password came on standard input", output);
    }

    [Fact]
    public async Task SighupTakesLimitsAndCredentialsAnewAndKeepsWhatWasInForceWhenTheyAreNotInOrder()
    {
        var auth = directory.Sub("auth.yml");
        var overrides = directory.Sub("overrides.yml");
        var token = directory.Sub("token");
        await File.WriteAllTextAsync(token, "one");
        await File.WriteAllTextAsync(auth, $"identities:\n  - {{name: a, token_file: {token}, read: [a], admin: true}}\n");
        await File.WriteAllTextAsync(overrides, "overrides:\n  a: {ingestion_rate: 10}\n");
        using var server = await MetricsServer.StartAsync(directory.Sub("data"), "--security-auth-file", auth, "--tenancy-overrides-file", overrides, "--http-watch-every", "0");
        Assert.Contains("\"ingestion_rate\":10", await LimitsAsync("one"));

        await File.WriteAllTextAsync(token, "two");
        await File.WriteAllTextAsync(overrides, "overrides:\n  a: {ingestion_rate: 20}\n");
        Assert.Contains("\"ingestion_rate\":10", await LimitsAsync("one"));
        server.Program.HangUp();
        await UntilAsync(async () => (await LimitsAsync("two")).Contains("\"ingestion_rate\":20", StringComparison.Ordinal));
        Assert.Equal("", await LimitsAsync("one"));

        await File.WriteAllTextAsync(overrides, "overrides:\n  a: {ingestion_rate: many}\n");
        server.Program.HangUp();
        await UntilAsync(async () => (await AskAsync(server, "metrics", "two")).Contains("metrics_config_last_reload_successful 0", StringComparison.Ordinal));
        Assert.Contains("\"ingestion_rate\":20", await LimitsAsync("two"));
        Assert.Contains("ingestion_rate", server.Program.Output);
        Assert.False(server.Program.HasExited);

        async Task<string> LimitsAsync(string with) => await AskAsync(server, "api/v1/user_limits", with);
    }

    private static async Task<string> HashAsync(string password)
    {
        var (code, output) = await RunningProgram.RunAsync("sh", "-c", $"echo '{password}' | dotnet {MetricsServer.AssemblyPath} hash-password");
        Assert.Equal(0, code);
        return output.Trim();
    }

    private static async Task<HttpStatusCode> LogInAsync(MetricsServer server, string user, string password)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Address, "api/v1/labels"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
        using var answer = await server.Http.SendAsync(request);
        return answer.StatusCode;
    }

    /// <summary>The answer to a request with a token; empty when it is no success.</summary>
    private static async Task<string> AskAsync(MetricsServer server, string path, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(server.Address, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await server.Http.SendAsync(request);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync() : "";
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), patience.Token);
        }
    }
}
