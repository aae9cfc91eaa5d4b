using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Metrics.Rules.Notifying;

/// <summary>Looks names up.</summary>
public interface IDnsLookup
{
    /// <summary>The addresses that a name stands for, as <c>host:port</c>; none when it does not exist.</summary>
    /// <exception cref="IOException">The lookup failed; what was known before still holds.</exception>
    ValueTask<IReadOnlyList<string>> ResolveAsync(DnsName name, CancellationToken cancellation);
}

/// <summary>Asks the system's resolver for addresses, and its name servers for SRV records, which the system's interface does not give.</summary>
/// <remarks>RFC 1035 and RFC 2782, over UDP and, for an answer that does not fit, TCP.</remarks>
public sealed class SystemDnsLookup : IDnsLookup
{
    private const int SrvType = 33;
    private const int Port = 53;
    private const string ResolverFile = "/etc/resolv.conf";
    private static readonly TimeSpan timeout = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<string>> ResolveAsync(DnsName name, CancellationToken cancellation)
    {
        try
        {
            if (name.Type == DnsRecordType.Srv)
            {
                return await ServicesAsync(name.Name, cancellation);
            }

            var family = name.Type == DnsRecordType.A ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
            var addresses = await Dns.GetHostAddressesAsync(name.Name, family, cancellation);
            return [.. addresses.Select(a => new IPEndPoint(a, name.Port).ToString())];
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData)
        {
            return [];
        }
        catch (Exception e) when (e is SocketException or InvalidDataException or UnauthorizedAccessException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            throw new IOException($"looking up {name.Type} records of {name.Name}: {e.Message}", e);
        }
    }

    private static async Task<IReadOnlyList<string>> ServicesAsync(string name, CancellationToken cancellation)
    {
        var id = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue);
        var question = SrvMessage.Question(id, name, SrvType);
        Exception? failure = null;
        foreach (var server in NameServers())
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(timeout);
            try
            {
                var answer = await OverUdpAsync(server, question, limit.Token);
                if (SrvMessage.IsTruncated(answer))
                {
                    answer = await OverTcpAsync(server, question, limit.Token);
                }

                return SrvMessage.Read(answer, id, SrvType);
            }
            catch (Exception e) when (e is SocketException or IOException or InvalidDataException or OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                failure = e;
            }
        }

        throw new InvalidDataException(failure?.Message ?? $"no name server in {ResolverFile}", failure);
    }

    private static IEnumerable<IPEndPoint> NameServers() =>
        from line in File.Exists(ResolverFile) ? File.ReadLines(ResolverFile) : []
        let words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
        where words.Length >= 2 && words[0] == "nameserver"
        let address = IPAddress.TryParse(words[1], out var parsed) ? parsed : null
        where address is not null
        select new IPEndPoint(address, Port);

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

/// <summary>DNS messages that ask for and give SRV records.</summary>
internal static class SrvMessage
{
    private const int HeaderBytes = 12;
    private const int MaxPointers = 64;
    private const int NameError = 3;

    /// <summary>A question for records of one type.</summary>
    /// <exception cref="InvalidDataException">The name is none.</exception>
    public static byte[] Question(ushort id, string name, int type)
    {
        var message = new List<byte> { (byte)(id >> 8), (byte)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (var label in name.TrimEnd('.').Split('.'))
        {
            var bytes = Encoding.UTF8.GetBytes(label);
            if (bytes.Length is 0 or > 63)
            {
                throw new InvalidDataException($"\"{name}\" is no domain name");
            }

            message.Add((byte)bytes.Length);
            message.AddRange(bytes);
        }

        message.AddRange([0, (byte)(type >> 8), (byte)type, 0, 1]);
        return [.. message];
    }

    /// <summary>True when the answer did not fit.</summary>
    public static bool IsTruncated(ReadOnlySpan<byte> message) => message.Length > 2 && (message[2] & 2) != 0;

    /// <summary>The targets of an answer as <c>host:port</c>, in its order.</summary>
    /// <exception cref="InvalidDataException">It is no answer to the question, or says that the server failed.</exception>
    public static IReadOnlyList<string> Read(ReadOnlySpan<byte> message, ushort id, int type)
    {
        if (message.Length < HeaderBytes || Word(message, 0) != id || (message[2] & 0x80) == 0)
        {
            throw new InvalidDataException("no answer to the question");
        }

        var code = message[3] & 15;
        if (code != 0)
        {
            return code == NameError ? [] : throw new InvalidDataException($"name server answered with code {code}");
        }

        var at = HeaderBytes;
        for (var i = Word(message, 4); i > 0; i--)
        {
            ReadName(message, ref at);
            at += 4;
        }

        var targets = new List<string>();
        for (var i = Word(message, 6); i > 0; i--)
        {
            ReadName(message, ref at);
            var recordType = Word(message, at);
            var length = Word(message, at + 8);
            var data = at + 10;
            if (recordType == type)
            {
                var port = Word(message, data + 4);
                var target = data + 6;
                targets.Add($"{ReadName(message, ref target)}:{port}");
            }

            at = data + length;
        }

        return targets;
    }

    private static int Word(ReadOnlySpan<byte> message, int at) =>
        at + 2 <= message.Length ? BinaryPrimitives.ReadUInt16BigEndian(message[at..]) : throw new InvalidDataException("answer ends too soon");

    private static string ReadName(ReadOnlySpan<byte> message, ref int at)
    {
        var name = new StringBuilder();
        var position = at;
        var end = -1;
        for (var pointers = 0; ;)
        {
            var length = position < message.Length ? message[position] : throw new InvalidDataException("answer ends too soon");
            if ((length & 0xC0) == 0xC0)
            {
                end = end < 0 ? position + 2 : end;
                position = Word(message, position) & 0x3FFF;
                if (++pointers > MaxPointers)
                {
                    throw new InvalidDataException("name without end");
                }

                continue;
            }

            position++;
            if (length == 0)
            {
                at = end < 0 ? position : end;
                return name.ToString();
            }

            if (position + length > message.Length)
            {
                throw new InvalidDataException("answer ends too soon");
            }

            name.Append(name.Length > 0 ? "." : "").Append(Encoding.UTF8.GetString(message.Slice(position, length)));
            position += length;
        }
    }
}
