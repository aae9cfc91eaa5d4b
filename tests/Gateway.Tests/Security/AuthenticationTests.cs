using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Security;
using Xunit;

namespace Metrics.Gateway.Tests;

public class AuthenticationTests
{
    private const string Password = "correct horse";

    [Theory]
    [InlineData("", 401)]
    [InlineData("Basic YTpjb3JyZWN0IGhvcnNl", 200)] // a:correct horse
    [InlineData("basic YTpjb3JyZWN0IGhvcnNl", 200)]
    [InlineData("Basic YTp3cm9uZw==", 401)] // a:wrong
    [InlineData("Basic eDpjb3JyZWN0IGhvcnNl", 401)] // x:correct horse
    [InlineData("Basic YQ==", 401)]
    [InlineData("Basic !", 401)]
    [InlineData("Bearer token-of-a", 200)]
    [InlineData("Bearer token-of-A", 401)]
    [InlineData("Bearer ", 401)]
    [InlineData("Bearer a.b.c", 401)]
    [InlineData("Digest a", 401)]
    [InlineData("nonsense", 401)]
    public async Task WhoeverDoesNotShowWhatIsKnownIsRefused(string authorization, int status)
    {
        await using var app = await StartAsync();
        var answer = await app.GetAsync("/api/v1/labels", authorization.Length == 0 ? [] : [("Authorization", authorization)]);
        Assert.Equal(status, answer.Code);
        Assert.Equal(status == 401, answer.Headers.Contains("WWW-Authenticate: Basic realm=\"metrics\"", StringComparison.Ordinal));

        // The same again: what was right once is remembered, what was wrong is not.
        Assert.Equal(status, (await app.GetAsync("/api/v1/labels", ("Authorization", authorization))).Code);
    }

    [Theory]
    [InlineData("POST", "", 401)]
    [InlineData("POST", "Bearer token-of-reader", 403)]
    [InlineData("GET", "Bearer token-of-a", 405)]
    public async Task EveryAnswerToAWriteSaysThatNothingWasWritten(string method, string authorization, int status)
    {
        await using var app = await StartAsync();
        var answer = await app.SendAsync(new HttpMethod(method), "/api/v1/write", null, authorization.Length == 0 ? [] : [("Authorization", authorization)]);
        Assert.Equal(status, answer.Code);
        foreach (var what in new[] { "Samples", "Histograms", "Exemplars" })
        {
            Assert.Contains($"X-Prometheus-Remote-Write-{what}-Written: 0", answer.Headers);
        }
    }

    [Fact]
    public async Task EveryRouteAsksSaveThoseForHealth()
    {
        await using var app = await StartAsync();
        foreach (var path in new[] { "/-/healthy", "/-/ready", "/ready", "/" })
        {
            Assert.Equal(200, (await app.GetAsync(path)).Code);
        }

        foreach (var path in new[] { "/metrics", "/api/v1/query?query=up", "/api/v1/status/config", "/federate?match[]=up", "/api/v1/rules", "/config/v1/rules", "/api/v1/alerts" })
        {
            Assert.Equal(401, (await app.GetAsync(path)).Code);
        }

        foreach (var path in new[] { "/api/v1/write", "/api/v1/read", "/-/reload", "/api/v1/admin/tsdb/snapshot", "/ingester/flush" })
        {
            Assert.Equal(401, (await app.SendAsync(HttpMethod.Post, path, null)).Code);
        }
    }

    [Theory]
    [InlineData("reader", "GET", "/api/v1/labels", 200)]
    [InlineData("reader", "POST", "/api/v1/write", 403)]
    [InlineData("reader", "GET", "/config/v1/rules", 404)]
    [InlineData("reader", "POST", "/config/v1/rules/n", 403)]
    [InlineData("reader", "DELETE", "/config/v1/rules/n", 403)]
    [InlineData("reader", "POST", "/-/reload", 403)]
    [InlineData("reader", "GET", "/metrics", 403)]
    [InlineData("reader", "GET", "/api/v1/status/config", 403)]
    [InlineData("reader", "GET", "/api/v1/status/flags", 403)]
    [InlineData("reader", "GET", "/api/v1/status/buildinfo", 200)]
    [InlineData("writer", "POST", "/api/v1/write", 204)]
    [InlineData("writer", "GET", "/api/v1/labels", 403)]
    [InlineData("writer", "POST", "/api/v1/read", 403)]
    [InlineData("writer", "POST", "/api/v1/admin/tsdb/delete_series?match[]=m", 403)]
    [InlineData("admin", "GET", "/metrics", 200)]
    [InlineData("admin", "GET", "/api/v1/status/config", 200)]
    [InlineData("admin", "POST", "/-/reload", 200)]
    [InlineData("admin", "POST", "/api/v1/admin/tsdb/delete_series?match[]=m", 204)]
    [InlineData("admin", "GET", "/api/v1/labels", 403)]
    [InlineData("nobody", "GET", "/api/v1/labels", 403)]
    public async Task RolesSayWhatSomeoneMayDo(string who, string method, string path, int status)
    {
        await using var app = await StartAsync();
        var body = path == "/api/v1/write" ? RealGateway.Body(WriteMessage.Of()) : null;
        Assert.Equal(status, (await app.SendAsync(new HttpMethod(method), path, body, ("Authorization", "Bearer token-of-" + who))).Code);
    }

    [Fact]
    public async Task AMemberHasItsOwnTenantAndNoOther()
    {
        await using var app = await StartAsync();
        (string, string) a = ("Authorization", "Bearer token-of-a");
        Assert.Equal(204, (await app.WriteAsync([a], null, "__name__=m")).Code);
        Assert.Equal("a", Assert.Single(app.Cluster.Tenants).Id.Value);
        Assert.Contains("\"m\"", (await app.GetAsync("/api/v1/query?query=m", a)).Body);
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels", a, ("X-Scope-OrgID", "a"))).Code);
        foreach (var tenant in new[] { "b", "default", "a|b" })
        {
            var refused = await app.GetAsync("/api/v1/labels", a, ("X-Scope-OrgID", tenant));
            Assert.Equal(403, refused.Code);
            Assert.Contains($"tenant {tenant.Split('|')[^1]} is not allowed to access", refused.Body);
        }

        Assert.Equal(403, (await app.WriteAsync([a, ("X-Scope-OrgID", "b")], null, "__name__=m")).Code);
        Assert.Equal("a", Assert.Single(app.Cluster.Tenants).Id.Value);

        // All that it may read is its own.
        await app.Cluster.OpenTenantAsync(Model.TenantId.Parse("b"), default);
        Assert.DoesNotContain("__tenant_id__", (await app.GetAsync("/api/v1/query?query=m", a, ("X-Scope-OrgID", "__all__"))).Body);
    }

    [Fact]
    public async Task CredentialsThatChangeHoldAfterAReloadAndMistakesLeaveWhatWas()
    {
        string? folder = null;
        await using var app = await StartAsync((_, f) => folder = f);
        File.WriteAllText(Path.Combine(folder!, "a.token"), "rotated\n");
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Post, "/-/reload", null, ("Authorization", "Bearer token-of-admin"))).Code);
        Assert.Equal(401, (await app.GetAsync("/api/v1/labels", ("Authorization", "Bearer token-of-a"))).Code);
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels", ("Authorization", "Bearer rotated"))).Code);
        File.Delete(Path.Combine(folder!, "a.token"));
        Assert.Equal(500, (await app.SendAsync(HttpMethod.Post, "/-/reload", null, ("Authorization", "Bearer token-of-admin"))).Code);
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels", ("Authorization", "Bearer rotated"))).Code);
    }

    [Fact]
    public async Task NoSecretIsShownOrLogged()
    {
        await using var app = await StartAsync((o, _) =>
        {
            o.Archive.ObjstoreConfig = "type: FILESYSTEM\nconfig: {directory: x, secret: hidden-thing}";
            o.Rules.Alertmanagers = ["http://user:hidden-thing@localhost:1"];
        });
        (string, string) admin = ("Authorization", "Bearer token-of-admin");
        await app.GetAsync("/api/v1/labels", ("Authorization", "Bearer wrong-thing"));
        await app.SendAsync(HttpMethod.Post, "/-/reload", null, admin);
        var all = app.Log + (await app.GetAsync("/api/v1/status/config", admin)).Body + (await app.GetAsync("/api/v1/status/flags", admin)).Body + (await app.GetAsync("/metrics", admin)).Body;
        Assert.Contains("http://user:\\u003csecret\\u003e@localhost:1", all);
        foreach (var secret in new[] { "hidden-thing", "wrong-thing", "token-of-", Password, "pbkdf2" })
        {
            Assert.DoesNotContain(secret, all);
        }
    }

    [Theory]
    [InlineData("identities: [{name: a, usrname: x}]", ":1: unknown key \"usrname\"; allowed are name, username, ")]
    [InlineData("identities: [{username: x}]", ":1: an identity needs a name")]
    [InlineData("identities: [{name: a, username: x}]", ":1: identity a: a username needs password_hash or password_file, and they need a username")]
    [InlineData("identities: [{name: a, username: x, password_hash: hunter2}]", ":1: password_hash: want pbkdf2-sha256$")]
    [InlineData("identities: [{name: a, token_file: /nowhere/at/all}]", ":1: token_file: Could not find")]
    [InlineData("identities: [{name: a, read: [x/y]}]", ":1: read: no tenant id: ")]
    [InlineData("identities: [{name: a, common_name: x}, {name: b, common_name: x}]", ":1: identity b: another one has the same common_name")]
    [InlineData("jwt: {issuer: x}", ":1: jwt needs jwks_file or jwks_url, one of the two")]
    [InlineData("jwt: {jwks_url: 'http://elsewhere.example/keys'}", ":1: jwks_url: want an https URL")]
    [InlineData("certificates: {tenant_field: country}", ":1: tenant_field: got \"country\", want ")]
    [InlineData("users: []", ":1: unknown key \"users\"; allowed are identities, certificates, jwt, token_review")]
    public void MistakesInTheFileNameLineAndKeyAndNoSecret(string text, string message)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            var e = Assert.Throws<ConfigurationException>(() => AuthFile.Read(path));
            Assert.StartsWith(path + message, e.Message);
            Assert.DoesNotContain("hunter2", e.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void PasswordsAreKnownByTheirHashAlone()
    {
        var text = PasswordHash.Of(Password, 1000).ToString();
        Assert.NotEqual(text, PasswordHash.Of(Password, 1000).ToString());
        Assert.True(PasswordHash.TryParse(text, out var hash));
        Assert.True(hash.Matches(Password));
        Assert.False(hash.Matches(Password + " "));
        Assert.False(PasswordHash.TryParse(text.Replace("1000", "0"), out _));
        Assert.False(PasswordHash.TryParse(text[..^8], out _));
    }

    [Fact]
    public async Task WhoeverListensToAllWithoutAskingIsToldLoudly()
    {
        await using var open = await RealGateway.StartAsync((o, _) => o.Http.Listen = "0.0.0.0:0");
        Assert.Contains("Warning: ANYONE WHO REACHES 0.0.0.0:0 MAY READ, CHANGE AND DELETE THE DATA OF EVERY TENANT", open.Log);
        await using var asking = await StartAsync((o, _) => o.Http.Listen = "0.0.0.0:0");
        Assert.Contains("Warning: passwords and tokens come to 0.0.0.0:0 in the clear", asking.Log);
        await using var local = await RealGateway.StartAsync();
        Assert.DoesNotContain("Warning", local.Log);
    }

    [Theory]
    [InlineData("X-Forwarded-User", "admin")]
    [InlineData("X-Forwarded-Groups", "system:masters")]
    [InlineData("X-Forwarded-Email", "admin@example.org")]
    [InlineData("X-Forwarded-Preferred-Username", "admin")]
    [InlineData("X-Forwarded-Access-Token", "token-of-admin")]
    [InlineData("X-Auth-Request-User", "admin")]
    [InlineData("X-Remote-User", "admin")]
    [InlineData("Proxy-Authorization", "Bearer token-of-admin")]
    [InlineData("X-Forwarded-For", "127.0.0.1")]
    [InlineData("X-Forwarded-Client-Cert", "Subject=\"CN=admin\"")]
    [InlineData("X-Forwarded-Uri", "/-/healthy")]
    [InlineData("X-Original-URL", "/-/healthy")]
    [InlineData("X-HTTP-Method-Override", "GET")]
    public async Task HeadersOfProxiesChangeNothing(string header, string value)
    {
        await using var app = await StartAsync();
        Assert.Equal(401, (await app.GetAsync("/api/v1/labels", (header, value))).Code);
        (string, string) a = ("Authorization", "Bearer token-of-a");
        Assert.Equal(200, (await app.GetAsync("/api/v1/labels", a, (header, value))).Code);
        Assert.Equal(403, (await app.GetAsync("/api/v1/labels", a, (header, value), ("X-Scope-OrgID", "b"))).Code);
        Assert.Equal(403, (await app.GetAsync("/metrics", a, (header, value))).Code);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Post, "/-/reload", null, a, (header, value))).Code);
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("PS384")]
    [InlineData("ES256")]
    public async Task AJsonWebTokenSaysWhoSomeoneIs(string algorithm)
    {
        using var key = new TokenKey(algorithm, "k1");
        await using var app = await StartJwtAsync(key);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        string Token(string claims) => key.Sign($$"""{"iss":"us","aud":["metrics"],"exp":{{now + 300}},{{claims}}}""");
        async Task<int> Ask(string token, string tenant = "") => (await app.GetAsync("/api/v1/labels", [("Authorization", "Bearer " + token), .. tenant.Length == 0 ? Array.Empty<(string, string)>() : [("X-Scope-OrgID", tenant)]])).Code;

        Assert.Equal(200, await Ask(Token("""
            "sub":"x","tenants":["a"],"realm":{"roles":["read"]}
            """)));
        Assert.Equal(403, await Ask(Token("""
            "tenants":["a"],"realm":{"roles":["read"]}
            """), "b"));
        Assert.Equal(403, await Ask(Token("""
            "tenants":["a"],"realm":{"roles":["write"]}
            """)));
        Assert.Equal(403, await Ask(Token("""
            "tenants":["a"]
            """)));
        Assert.Equal(200, await Ask(Token("""
            "tenants":"b a","realm":{"roles":"read write"}
            """), "a|b"));
        Assert.Equal(200, await Ask(Token("""
            "tenants":"*","realm":{"roles":["read"]}
            """), "__all__"));
    }

    [Fact]
    public async Task ATokenThatIsNotInOrderIsNoToken()
    {
        using var key = new TokenKey("RS256", "k1");
        using var other = new TokenKey("RS256", "k1");
        await using var app = await StartJwtAsync(key);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        string Claims(string iss = "us", string aud = "\"metrics\"", long? exp = null, long nbf = 0) =>
            $$$"""{"iss":"{{{iss}}}","aud":{{{aud}}},"exp":{{{exp ?? now + 300}}},"nbf":{{{nbf}}},"tenants":["a"],"realm":{"roles":["read"]}}""";
        var good = key.Sign(Claims());
        var parts = good.Split('.');
        async Task<int> Ask(string token) => (await app.GetAsync("/api/v1/labels", ("Authorization", "Bearer " + token))).Code;
        Assert.Equal(200, await Ask(good));
        foreach (var bad in new[]
        {
            key.Sign(Claims(iss: "them")),
            key.Sign(Claims(aud: "[\"else\"]")),
            key.Sign(Claims(exp: now - 61)),
            key.Sign(Claims(nbf: now + 120)),
            key.Sign("""{"iss":"us","aud":"metrics","tenants":["a"],"realm":{"roles":["read"]}}"""), // without an end
            other.Sign(Claims()),
            $"{Encode("""{"alg":"none"}""")}.{parts[1]}.",
            $"{Encode("""{"alg":"HS256","kid":"k1"}""")}.{parts[1]}.{parts[2]}",
            $"{Encode("""{"alg":"RS512","kid":"k1"}""")}.{parts[1]}.{parts[2]}",
            $"{Encode("""{"alg":"RS256","kid":"k2"}""")}.{parts[1]}.{parts[2]}",
            $"{parts[0]}.{Encode(Claims())}x.{parts[2]}",
            $"{parts[0]}.{parts[1]}.{Encode("forged")}",
            $"{parts[0]}.{parts[1]}",
            $"{Encode("[]")}.{Encode("[]")}.{parts[2]}",
            "..",
        })
        {
            Assert.Equal(401, await Ask(bad));
        }
    }

    [Fact]
    public async Task KeysAreFetchedAgainWhenATokenNamesOneThatIsNotKnown()
    {
        using var first = new TokenKey("ES256", "k1");
        using var second = new TokenKey("ES256", "k2");
        var time = new ManualTime();
        var served = first.Set();
        var asked = 0;
        await using var keys = await KeyServer.StartAsync(() =>
        {
            asked++;
            return served;
        });
        await using var app = await RealGateway.StartAsync(
            (o, folder) =>
            {
                o.Security.AuthFile = Path.Combine(folder, "auth.yml");
                File.WriteAllText(o.Security.AuthFile, $"jwt: {{jwks_url: '{keys.Address}keys'}}");
            },
            time);
        var claims = $$"""{"exp":{{time.GetUtcNow().ToUnixTimeSeconds() + 3600}},"tenants":"a"}""";
        async Task<int> Ask(TokenKey key) => (await app.GetAsync("/api/v1/labels", ("Authorization", "Bearer " + key.Sign(claims)))).Code;
        Assert.Equal(200, await Ask(first));
        Assert.Equal(401, await Ask(second));
        served = second.Set();
        Assert.Equal(401, await Ask(second));
        Assert.Equal(1, asked);
        time.Move(TimeSpan.FromSeconds(20));
        Assert.Equal(200, await Ask(second));
        Assert.Equal(401, await Ask(first));
        Assert.Equal(2, asked);

        // What can't be read leaves what was known.
        served = "nonsense";
        time.Move(TimeSpan.FromMinutes(20));
        Assert.Equal(200, await Ask(second));
        Assert.Equal(3, asked);
    }

    internal static Task<RealGateway> StartAsync(Action<GatewayOptions, string>? configure = null, HttpMessageHandler? handler = null) => RealGateway.StartAsync(
        (o, folder) =>
        {
            foreach (var who in new[] { "a", "reader", "writer", "admin", "nobody" })
            {
                File.WriteAllText(Path.Combine(folder, who + ".token"), $"token-of-{who}\n");
            }

            o.Security.AuthFile = Path.Combine(folder, "auth.yml");
            File.WriteAllText(
                o.Security.AuthFile,
                $"""
                identities:
                  - name: a
                    username: a
                    password_hash: {PasswordHash.Of(Password, 1000)}
                    token_file: {folder}/a.token
                    read: [a]
                    write: [a]
                  - {"{"}name: reader, token_file: {folder}/reader.token, read: [a]{"}"}
                  - {"{"}name: writer, token_file: {folder}/writer.token, write: [a]{"}"}
                  - {"{"}name: admin, token_file: {folder}/admin.token, admin: true{"}"}
                  - {"{"}name: nobody, token_file: {folder}/nobody.token{"}"}
                """);
            configure?.Invoke(o, folder);
        },
        handler: handler);

    private static Task<RealGateway> StartJwtAsync(TokenKey key) => RealGateway.StartAsync((o, folder) =>
    {
        File.WriteAllText(Path.Combine(folder, "keys.json"), key.Set());
        o.Security.AuthFile = Path.Combine(folder, "auth.yml");
        File.WriteAllText(o.Security.AuthFile, $"jwt: {{jwks_file: {folder}/keys.json, issuer: us, audience: metrics, roles_claim: realm.roles}}");
    });

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    /// <summary>Signs tokens, with a key that the server is told the public half of.</summary>
    private sealed class TokenKey(string algorithm, string id) : IDisposable
    {
        private readonly RSA rsa = RSA.Create(2048);
        private readonly ECDsa ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);

        public string Sign(string claims)
        {
            var signed = $"{Encode($$"""{"alg":"{{algorithm}}","kid":"{{id}}","typ":"JWT"}""")}.{Encode(claims)}";
            var bytes = Encoding.ASCII.GetBytes(signed);
            var signature = algorithm switch
            {
                "RS256" => rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
                "PS384" => rsa.SignData(bytes, HashAlgorithmName.SHA384, RSASignaturePadding.Pss),
                _ => ec.SignData(bytes, HashAlgorithmName.SHA256),
            };
            return $"{signed}.{Base64Url.EncodeToString(signature)}";
        }

        public string Set()
        {
            var (r, e) = (rsa.ExportParameters(false), ec.ExportParameters(false));
            object key = algorithm[0] == 'E'
                ? new { kty = "EC", kid = id, use = "sig", crv = "P-256", x = Base64Url.EncodeToString(e.Q.X), y = Base64Url.EncodeToString(e.Q.Y) }
                : new { kty = "RSA", kid = id, alg = algorithm, n = Base64Url.EncodeToString(r.Modulus), e = Base64Url.EncodeToString(r.Exponent) };
            return JsonSerializer.Serialize(new { keys = new[] { new { kty = "oct", kid = "shared", k = "AAAA" }, key } });
        }

        public void Dispose()
        {
            rsa.Dispose();
            ec.Dispose();
        }
    }
}
