using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Metrics.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Metrics.Gateway.Tests;

/// <summary>The part of a Kubernetes API server that reviews tokens, on loopback with TLS: of the tokens it is told, for who shows <see cref="OwnToken"/>.</summary>
internal sealed class KubernetesApiServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, (string User, string[] Groups)> tokens = new(StringComparer.Ordinal);
    private int reviews;

    private KubernetesApiServer(Authority authority)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(authority.Sign("CN=server", CertificateUse.Server))));
        app = builder.Build();
        app.Run(AnswerAsync);
    }

    /// <summary>What it wants to be shown itself.</summary>
    public string OwnToken { get; set; } = "own";

    /// <summary>The audience that its answers name; null for none, as older authenticators.</summary>
    public string? Audience { get; set; } = "metrics";

    /// <summary>When set, what it answers to everything.</summary>
    public (int Status, string Body)? Broken { get; set; }

    /// <summary>When set, it answers once this is done.</summary>
    public Task? Gate { get; set; }

    /// <summary>How many reviews it was asked for.</summary>
    public int Reviews => Volatile.Read(ref reviews);

    public string Url => $"https://127.0.0.1:{new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port}";

    public static async Task<KubernetesApiServer> StartAsync(Authority authority)
    {
        var made = new KubernetesApiServer(authority);
        await made.app.StartAsync();
        return made;
    }

    public void Add(string token, string user, params string[] groups) => tokens[token] = (user, groups);

    public void Remove(string token) => tokens.TryRemove(token, out _);

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref reviews);
        using var question = await JsonDocument.ParseAsync(context.Request.Body);
        if (Gate is not null)
        {
            await Gate;
        }

        var (status, body) = Broken ?? Answer(context, question.RootElement);
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(body);
    }

    private (int Status, string Body) Answer(HttpContext context, JsonElement question)
    {
        if (context.Request.Method != "POST" || context.Request.Path != "/apis/authentication.k8s.io/v1/tokenreviews" || context.Request.Headers.Authorization != "Bearer " + OwnToken)
        {
            return (403, """{"kind":"Status","apiVersion":"v1","status":"Failure","code":403}""");
        }

        Assert(question.GetProperty("apiVersion").GetString() == "authentication.k8s.io/v1" && question.GetProperty("kind").GetString() == "TokenReview");
        var spec = question.GetProperty("spec");
        if (!tokens.TryGetValue(spec.GetProperty("token").GetString()!, out var of))
        {
            return (201, """{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"user":{},"error":"[invalid bearer token]"}}""");
        }

        return (201, JsonSerializer.Serialize(new
        {
            apiVersion = "authentication.k8s.io/v1",
            kind = "TokenReview",
            status = new { authenticated = true, user = new { username = of.User, uid = "1", groups = of.Groups }, audiences = Audience is null ? null : new[] { Audience } },
        }));
    }

    private static void Assert(bool isTrue) => Xunit.Assert.True(isTrue);
}
