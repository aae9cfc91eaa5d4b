using System.IO.Pipelines;
using System.Net.Security;
using Microsoft.AspNetCore.Connections;

namespace Metrics.Silo;

/// <summary>Puts TLS between Orleans and the sockets of its connections: whatever Orleans says, its greeting included, is said after both ends have shown their certificates.</summary>
internal sealed class TlsConnections(SiloTls tls, ILogger logger)
{
    /// <summary>How long a handshake may take: as Kestrel's.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(10);

    /// <summary>A record of TLS holds at most 16 KiB.</summary>
    private const int BufferBytes = 64 * 1024;

    /// <summary>Connections that others open.</summary>
    public void AddServer(IConnectionBuilder builder) => builder.Use(next => context => RunAsync(context, next, (stream, stop) => stream.AuthenticateAsServerAsync(tls.InForce.Server, stop)));

    /// <summary>Connections that this silo opens.</summary>
    public void AddClient(IConnectionBuilder builder) => builder.Use(next => context => RunAsync(context, next, (stream, stop) => stream.AuthenticateAsClientAsync(tls.InForce.Client, stop)));

    private async Task RunAsync(ConnectionContext context, ConnectionDelegate next, Func<SslStream, CancellationToken, Task> shake)
    {
        var plain = context.Transport;
        await using var stream = new SslStream(new PipeStream(plain));
        try
        {
            using var late = CancellationTokenSource.CreateLinkedTokenSource(context.ConnectionClosed);
            late.CancelAfter(patience);
            await shake(stream, late.Token);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            logger.TlsRefused(context.RemoteEndPoint?.ToString() ?? "", e.Message);
            context.Abort(new ConnectionAbortedException("no TLS", e));
            return;
        }

        var secured = new SecuredPipe(
            PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: BufferBytes, leaveOpen: true)), PipeWriter.Create(stream, new StreamPipeWriterOptions(minimumBufferSize: BufferBytes, leaveOpen: true)));
        try
        {
            context.Transport = secured;
            await next(context);
        }
        finally
        {
            await secured.Input.CompleteAsync();
            await secured.Output.CompleteAsync();
            context.Transport = plain; // For whoever opened the connection to close.
        }
    }

    private sealed record SecuredPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
