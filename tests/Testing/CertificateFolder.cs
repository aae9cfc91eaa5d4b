using System.Security.Cryptography.X509Certificates;

namespace Metrics.Testing;

/// <summary>A temporary folder with an authority's certificate, <c>ca.pem</c>, and with what it signed.</summary>
public sealed class CertificateFolder : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("metrics-pki-");
    private readonly Authority authority = new();

    /// <summary>Makes the authority.</summary>
    public CertificateFolder() => authority.WriteOwn(Path("ca.pem"));

    /// <summary>A file of the folder.</summary>
    public string Path(string name) => System.IO.Path.Combine(directory.FullName, name);

    /// <summary>Signs a certificate for loopback and a name, for servers and clients, and writes <c>NAME.pem</c> and <c>NAME.key</c>.</summary>
    public void Sign(string name) => authority.Write(directory.FullName, name, $"CN={name}", host: name);

    /// <summary>Connects to a server by the name of its certificate, as the client of one.</summary>
    public SocketsHttpHandler Connect(string server, string client)
    {
        var handler = new SocketsHttpHandler();
        handler.SslOptions.TargetHost = server;
        handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPemFile(Path(client + ".pem"), Path(client + ".key"))];
        handler.SslOptions.CertificateChainPolicy = authority.Trust();
        return handler;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        authority.Dispose();
        directory.Delete(recursive: true);
    }
}
