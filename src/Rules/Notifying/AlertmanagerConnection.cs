using System.Net.Security;
using System.Net.Sockets;
using Metrics.Model;

namespace Metrics.Rules.Notifying;

/// <summary>Makes HTTP connections as a set of Alertmanagers wants them.</summary>
internal static class AlertmanagerConnection
{
    private static readonly TimeSpan lifetime = TimeSpan.FromMinutes(5);

    /// <summary>A handler with the set's TLS.</summary>
    /// <exception cref="IOException">A file can't be read, or holds no certificate or key.</exception>
    public static HttpMessageHandler Open(AlertmanagerSetOptions set)
    {
        var options = OptionsOf(set.Tls);
        return options.TargetHost is null
            ? new SocketsHttpHandler { AllowAutoRedirect = true, PooledConnectionLifetime = lifetime, SslOptions = options }
            : new NamedTlsHandler(options);
    }

    private static SslClientAuthenticationOptions OptionsOf(TlsOptions tls)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = tls.ServerName.Length > 0 ? tls.ServerName : null };
        if (tls.CertFile.Length > 0)
        {
            options.ClientCertificates = [PemFile.Certificate(tls.CertFile, tls.KeyFile)];
        }

        if (tls.SkipsVerification)
        {
            // The user asked for it by name.
#pragma warning disable CA5359
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (tls.CaFile.Length > 0)
        {
            options.CertificateChainPolicy = PemFile.Authorities(tls.CaFile);
        }

        return options;
    }

    /// <summary>TLS with a server whose certificate bears another name than its address.</summary>
    /// <remarks>
    /// .NET's handler asks for the certificate of the host in the URL, whatever its options say. So this one does TLS beneath it, and lets it believe that it speaks HTTP. Redirections are not
    /// followed: they would lead to a server of another name.
    /// </remarks>
    private sealed class NamedTlsHandler(SslClientAuthenticationOptions options) : DelegatingHandler(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        PooledConnectionLifetime = lifetime,
        ConnectCallback = (context, cancellation) => ConnectAsync(context, options, cancellation),
    })
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.RequestUri is { Scheme: "https" } url)
            {
                request.Headers.Host ??= url.Authority;
                request.RequestUri = new UriBuilder(url) { Scheme = "http", Port = url.Port }.Uri;
            }

            return base.SendAsync(request, cancellationToken);
        }

        private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, SslClientAuthenticationOptions options, CancellationToken cancellation)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(context.DnsEndPoint, cancellation);
                var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
                await tls.AuthenticateAsClientAsync(options, cancellation);
                return tls;
            }
            catch (System.Security.Authentication.AuthenticationException e)
            {
                socket.Dispose();
                throw new HttpRequestException(HttpRequestError.SecureConnectionError, $"The SSL connection could not be established: {e.Message}", e);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
