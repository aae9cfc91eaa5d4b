using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Metrics.Gateway.Tests;

/// <summary>A server on loopback that answers every request with a text.</summary>
internal sealed class KeyServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private KeyServer(WebApplication app) => this.app = app;

    public Uri Address => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    public static async Task<KeyServer> StartAsync(Func<string> answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(System.Net.IPAddress.Loopback, 0));
        var made = builder.Build();
        made.Run(context => context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(answer())).AsTask());
        await made.StartAsync();
        return new KeyServer(made);
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();
}
