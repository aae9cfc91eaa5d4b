using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Metrics.EndToEnd.Programs;
using Metrics.Testing;
using Xunit;
using Xunit.Abstractions;

#pragma warning disable MA0039, CA5359 // The test's authority is in no store of this machine; what silos accept is asked here.

namespace Metrics.Cluster.Silos.Processes;

/// <summary>Silos that talk TLS to each other: who has no certificate of their authority is no silo.</summary>
[Collection(SequenceLoad.Collection)]
[Trait("Category", "Processes")]
public sealed class SiloTlsTests(ITestOutputHelper log)
{
    [Fact]
    public async Task SilosWithCertificatesServeAndOthersAreRefused()
    {
        using var folder = new TemporaryDirectory();
        using var authority = new Authority();
        using var stranger = new Authority();
        Write(authority, folder, "first");
        string[] tls = ["--cluster-tls-cert-file", folder.Sub("silo.pem"), "--cluster-tls-key-file", folder.Sub("silo.key"), "--cluster-tls-ca-file", folder.Sub("ca.pem")];
        using var lab = await SiloLab.StartAsync(2, 2, tls);
        try
        {
            await WriteAndVerifyAsync(lab);
            var port = lab.Silos[0].ClusterPort;
            Assert.Equal("CN=first", await ShownAsync(port, authority.Sign("CN=test")));
            await Assert.ThrowsAnyAsync<Exception>(() => ShownAsync(port, null));
            await Assert.ThrowsAnyAsync<Exception>(() => ShownAsync(port, stranger.Sign("CN=test")));

            // Another certificate is shown to who comes next, and what is wrong leaves it in force.
            Write(authority, folder, "second");
            Assert.Equal("CN=second", await ShownAsync(port, authority.Sign("CN=test")));
            await File.WriteAllTextAsync(folder.Sub("silo.pem"), "nonsense");
            Assert.Equal("CN=second", await ShownAsync(port, authority.Sign("CN=test")));
            Write(authority, folder, "third");
            await lab.AddAsync(1);
            await lab.WaitForStatusAsync("three silos", static s => s.GetProperty("silos").EnumerateArray().Count(static x => x.GetProperty("state").GetString() == "Active") == 3, TimeSpan.FromSeconds(30));
            await WriteAndVerifyAsync(lab);
        }
        catch
        {
            log.WriteLine(lab.Outputs());
            throw;
        }
    }

    private static async Task WriteAndVerifyAsync(SiloLab lab)
    {
        var writer = new SequenceWriter(lab, lab.Silos.Count);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        await writer.RunAsync(stop.Token);
        await writer.VerifyAsync();
    }

    /// <summary>The subject of the certificate that a silo shows, to who is let in: a refused one learns so when it reads.</summary>
    private static async Task<string> ShownAsync(int port, X509Certificate2? own)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var tcp = new TcpClient();
        await tcp.ConnectAsync("127.0.0.1", port, patience.Token);
        await using var tls = new SslStream(tcp.GetStream());
        var options = new SslClientAuthenticationOptions { TargetHost = "", RemoteCertificateValidationCallback = static (_, _, _, _) => true, ClientCertificates = own is null ? null : [own] };
        await tls.AuthenticateAsClientAsync(options, patience.Token);

        // Orleans greets first, when it is let speak.
        var greeting = new byte[1];
        return await tls.ReadAsync(greeting, patience.Token) == 1 ? tls.RemoteCertificate!.Subject : throw new IOException("it hung up");
    }

    /// <summary>What silos are told to show, and whom to trust.</summary>
    private static void Write(Authority authority, TemporaryDirectory folder, string name)
    {
        authority.WriteOwn(folder.Sub("ca.pem"));
        authority.Write(folder.Path, "silo", $"CN={name}");
    }
}
