using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Metrics.Rules.Notifying;

/// <summary>Looks names up.</summary>
public interface IDnsLookup
{
    /// <summary>The addresses that a name stands for, as <c>host:port</c>; none when it does not exist.</summary>
    /// <exception cref="IOException">The lookup failed; what was known before still holds.</exception>
    ValueTask<IReadOnlyList<string>> ResolveAsync(DnsName name, CancellationToken cancellation);
}

/// <summary>Asks the system's resolver for addresses, and its name servers for SRV records, which the system's interface does not give; or given name servers for all.</summary>
/// <remarks>Over UDP and, for an answer that does not fit, TCP. The next server is asked when one does not answer.</remarks>
/// <param name="servers">Name servers to ask instead of the system's; null for those.</param>
public sealed class SystemDnsLookup(IReadOnlyList<IPEndPoint>? servers = null) : IDnsLookup
{
    private const int Port = 53;
    private const string ResolverFile = "/etc/resolv.conf";
    private static readonly TimeSpan timeout = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> ResolveAsync(DnsName name, CancellationToken cancellation)
    {
        try
        {
            var found = new HashSet<string>(StringComparer.Ordinal);
            foreach (var (host, port) in await HostsAsync(name.Name, name.Type, name.Port, cancellation))
            {
                if (name.ResolvesTargets && name.Type == DnsRecordType.Srv)
                {
                    found.UnionWith((await AddressesAsync(host, port, cancellation)).Select(static h => TextOf(h.Host, h.Port)));
                }
                else
                {
                    found.Add(TextOf(host, port));
                }
            }

            if (name.ResolvesTargets && name.Type == DnsRecordType.A)
            {
                found.UnionWith((await HostsAsync(name.Name, DnsRecordType.Aaaa, name.Port, cancellation)).Select(static h => TextOf(h.Host, h.Port)));
            }

            return [.. found];
        }
        catch (Exception e) when (e is SocketException or InvalidDataException or UnauthorizedAccessException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            throw new IOException($"looking up {name.Type} records of {name.Name}: {e.Message}", e);
        }
    }

    private static string TextOf(string host, int port) => host.Contains(':') ? $"[{host}]:{port}" : $"{host}:{port}";

    private async Task<List<(string Host, int Port)>> AddressesAsync(string host, int port, CancellationToken cancellation) =>
        [.. await HostsAsync(host, DnsRecordType.A, port, cancellation), .. await HostsAsync(host, DnsRecordType.Aaaa, port, cancellation)];

    private async Task<IReadOnlyList<(string Host, int Port)>> HostsAsync(string name, DnsRecordType type, int port, CancellationToken cancellation)
    {
        if (servers is not null || type == DnsRecordType.Srv)
        {
            return await AskAsync(name, type, port, cancellation);
        }

        try
        {
            var family = type == DnsRecordType.A ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
            return [.. (await Dns.GetHostAddressesAsync(name, family, cancellation)).Select(a => (a.ToString(), port))];
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData or SocketError.AddressFamilyNotSupported)
        {
            return [];
        }
    }

    private async Task<IReadOnlyList<(string Host, int Port)>> AskAsync(string name, DnsRecordType type, int port, CancellationToken cancellation)
    {
        var id = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue);
        var question = DnsMessage.Question(id, name, type);
        Exception? failure = null;
        foreach (var server in servers ?? NameServers())
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(timeout);
            try
            {
                var answer = await OverUdpAsync(server, question, limit.Token);
                if (DnsMessage.IsTruncated(answer))
                {
                    answer = await OverTcpAsync(server, question, limit.Token);
                }

                return DnsMessage.Read(answer, id, type, port);
            }
            catch (Exception e) when (e is SocketException or IOException or InvalidDataException or OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                failure = e;
            }
        }

        throw new InvalidDataException(failure?.Message ?? $"no name server in {ResolverFile}", failure);
    }

    private static List<IPEndPoint> NameServers() =>
    [
        .. from line in File.Exists(ResolverFile) ? File.ReadLines(ResolverFile) : []
           let words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
           where words.Length >= 2 && words[0] == "nameserver"
           let address = IPAddress.TryParse(words[1], out var parsed) ? parsed : null
           where address is not null
           select new IPEndPoint(address, Port),
    ];

    private static async Task<byte[]> OverUdpAsync(IPEndPoint server, byte[] question, CancellationToken cancellation)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellation);
        await socket.SendAsync(question, cancellation);
        var buffer = new byte[65535];
        var length = await socket.ReceiveAsync(buffer, cancellation);
        return buffer[..length];
    }

    private static async Task<byte[]> OverTcpAsync(IPEndPoint server, byte[] question, CancellationToken cancellation)
    {
        using var client = new TcpClient(server.AddressFamily);
        await client.ConnectAsync(server, cancellation);
        await using var stream = client.GetStream();
        var framed = new byte[question.Length + 2];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)question.Length);
        question.CopyTo(framed, 2);
        await stream.WriteAsync(framed, cancellation);
        var length = new byte[2];
        await stream.ReadExactlyAsync(length, cancellation);
        var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(answer, cancellation);
        return answer;
    }
}
