using System.Net;
using System.Text;
using Metrics.Model;
using Metrics.Rules.Notifying;
using Metrics.Testing;
using Xunit;

namespace Metrics.Rules.Tests.Notifying;

/// <summary>A token is got with client credentials, kept for its time, and shown to Alertmanagers.</summary>
public sealed class OAuth2Tests : IDisposable
{
    private readonly FakeTime time = new(1_700_000_000_000);
    private readonly TokenGiver giver = new();
    private readonly AcceptingServer server = new();
    private readonly string secret = Path.GetTempFileName();

    public void Dispose() => File.Delete(secret);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ATokenIsShownUntilItEnds(bool onlyInForm)
    {
        giver.TakesForm = onlyInForm;
        using var http = Open();
        Assert.Equal("Bearer token-1", await SendAsync(http));
        Assert.Equal("Bearer token-1", await SendAsync(http));
        time.Advance(TimeSpan.FromSeconds(289));
        Assert.Equal("Bearer token-1", await SendAsync(http));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("Bearer token-2", await SendAsync(http));
        Assert.Equal("grant_type=client_credentials&scope=alerts+write&audience=am" + (onlyInForm ? "&client_id=me%3A&client_secret=s%C3%A9" : ""), giver.Forms[^1]);
        Assert.Equal(onlyInForm ? 3 : 2, giver.Forms.Count); // What was refused once is not tried again.
    }

    [Fact]
    public async Task ARefusedTokenIsNotShownAgainAndASecretMayRotate()
    {
        using var http = Open();
        Assert.Equal("Bearer token-1", await SendAsync(http));
        server.Status = HttpStatusCode.Unauthorized;
        Assert.Equal("Bearer token-1", await SendAsync(http));
        server.Status = HttpStatusCode.OK;
        giver.Secret = "new";
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(http));
        File.WriteAllText(secret, "new\n");
        Assert.Equal("Bearer token-2", await SendAsync(http));
    }

    [Theory]
    [InlineData(HttpStatusCode.InternalServerError, "{}", "bad response status 500")]
    [InlineData(HttpStatusCode.OK, "nonsense", "no token from http://giver/token: ")]
    [InlineData(HttpStatusCode.OK, "{\"access_token\":\"\"}", "it is empty")]
    [InlineData(HttpStatusCode.OK, "[]", "no token from http://giver/token: ")]
    public async Task WithoutATokenNothingIsSent(HttpStatusCode status, string body, string message)
    {
        giver.Broken = (status, body);
        using var http = Open();
        var error = await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync(http));
        Assert.Contains(message, error.Message);
        Assert.DoesNotContain("sé", error.Message);
        Assert.Equal(0, server.Requests);
    }

    private HttpClient Open()
    {
        File.WriteAllText(secret, "sé\n");
        var options = AlertingConfigReader.Read(
            $$"""
            alertmanagers:
            - static_configs: [{targets: ['a:1']}]
              oauth2: {client_id: 'me:', client_secret_file: {{secret}}, token_url: 'http://giver/token', scopes: [alerts, write], endpoint_params: {audience: am} }
            """,
            Labels.Empty);
        return new HttpClient(new OAuth2Handler(options.Sets[0].OAuth2!, giver, server, time));
    }

    private async Task<string> SendAsync(HttpClient http)
    {
        using var answer = await http.PostAsync(new Uri("http://a:1/api/v2/alerts"), null);
        return server.Authorization;
    }

    private sealed class TokenGiver : HttpMessageHandler
    {
        private int given;

        public bool TakesForm { get; set; }

        public string Secret { get; set; } = "sé";

        public (HttpStatusCode Status, string Body)? Broken { get; set; }

        public List<string> Forms { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Forms.Add(await request.Content!.ReadAsStringAsync(cancellationToken));
            if (Broken is var (status, body))
            {
                return new HttpResponseMessage(status) { Content = new StringContent(body) };
            }

            var shown = request.Headers.Authorization?.Parameter is { } basic ? Encoding.ASCII.GetString(Convert.FromBase64String(basic)) : "";
            var knows = TakesForm ? Forms[^1].EndsWith($"&client_secret={Uri.EscapeDataString(Secret)}", StringComparison.Ordinal) : shown == $"me%3A:{Uri.EscapeDataString(Secret)}";
            return knows
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent($$"""{"access_token":"token-{{++given}}","token_type":"bearer","expires_in":300}""") }
                : new HttpResponseMessage(HttpStatusCode.Unauthorized);
        }
    }

    private sealed class AcceptingServer : HttpMessageHandler
    {
        public HttpStatusCode Status { get; set; } = HttpStatusCode.OK;

        public string Authorization { get; private set; } = "";

        public int Requests { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            Authorization = request.Headers.Authorization?.ToString() ?? "";
            return Task.FromResult(new HttpResponseMessage(Status));
        }
    }
}
