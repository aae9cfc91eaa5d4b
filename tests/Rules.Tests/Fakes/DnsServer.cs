using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Metrics.Rules.Notifying;

namespace Metrics.Rules.Tests.Fakes;

/// <summary>A small name server on loopback, over UDP and TCP, which answers from a table.</summary>
internal sealed class DnsServer : IAsyncDisposable
{
    private readonly Socket udp;
    private readonly TcpListener tcp;
    private readonly Dictionary<(string Name, DnsRecordType Type), byte[][]> records = [];
    private readonly CancellationTokenSource stopping = new();
    private readonly Task[] loops;

    public DnsServer()
    {
        (udp, tcp) = OnePortForBoth();
        loops = [ListenUdpAsync(), ListenTcpAsync()];
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Address => (IPEndPoint)udp.LocalEndPoint!;

    /// <summary>The code of every answer: 0, or 2 for a server that failed.</summary>
    public volatile byte Code;

    /// <summary>True when answers do not fit into UDP.</summary>
    public volatile bool Truncates;

    /// <summary>Questions over TCP.</summary>
    public volatile int TcpQuestions;

    /// <summary>Sets the addresses of a name.</summary>
    public void SetAddresses(string name, params string[] addresses)
    {
        foreach (var type in new[] { DnsRecordType.A, DnsRecordType.Aaaa })
        {
            Set(name, type, [.. addresses.Select(IPAddress.Parse).Where(a => a.AddressFamily == AddressFamily.InterNetwork == (type == DnsRecordType.A)).Select(a => a.GetAddressBytes())]);
        }
    }

    /// <summary>Sets the services of a name.</summary>
    public void SetServices(string name, params (string Host, int Port)[] services) =>
        Set(name, DnsRecordType.Srv, [.. services.Select(s => (byte[])[0, 1, 0, 2, (byte)(s.Port >> 8), (byte)s.Port, .. Encoded(s.Host)])]);

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(loops);
        udp.Dispose();
        tcp.Dispose();
        stopping.Dispose();
    }

    /// <summary>A port that is free for UDP may be taken for TCP; then another.</summary>
    private static (Socket Udp, TcpListener Tcp) OnePortForBoth()
    {
        while (true)
        {
            var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            datagrams.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            var listener = new TcpListener((IPEndPoint)datagrams.LocalEndPoint!);
            try
            {
                listener.Start();
                return (datagrams, listener);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                listener.Dispose();
                datagrams.Dispose();
            }
        }
    }

    private void Set(string name, DnsRecordType type, byte[][] data)
    {
        lock (records)
        {
            records[(name, type)] = data;
        }
    }

    private async Task ListenUdpAsync()
    {
        var buffer = new byte[1500];
        try
        {
            while (true)
            {
                var got = await udp.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), stopping.Token);
                var answer = AnswerTo(buffer[..got.ReceivedBytes]);
                if (Truncates)
                {
                    answer[2] |= 2;
                    answer = answer[..12];
                }

                await udp.SendToAsync(answer, SocketFlags.None, got.RemoteEndPoint, stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ListenTcpAsync()
    {
        try
        {
            while (true)
            {
                using var client = await tcp.AcceptTcpClientAsync(stopping.Token);
                await using var stream = client.GetStream();
                var length = new byte[2];
                await stream.ReadExactlyAsync(length, stopping.Token);
                var question = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(question, stopping.Token);
                TcpQuestions++;
                var answer = AnswerTo(question);
                await stream.WriteAsync((byte[])[(byte)(answer.Length >> 8), (byte)answer.Length, .. answer], stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private byte[] AnswerTo(byte[] question)
    {
        var end = 12;
        var labels = new List<string>();
        for (; question[end] != 0; end += question[end] + 1)
        {
            labels.Add(Encoding.UTF8.GetString(question, end + 1, question[end]));
        }

        byte[][]? found;
        var type = question[end + 2] switch { 33 => DnsRecordType.Srv, 1 => DnsRecordType.A, _ => DnsRecordType.Aaaa };
        lock (records)
        {
            found = records.GetValueOrDefault((string.Join('.', labels), type));
        }

        byte code = Code != 0 ? Code : found is null ? (byte)3 : (byte)0;
        var count = code == 0 ? found!.Length : 0;
        return
        [
            question[0], question[1], 0x81, (byte)(0x80 | code), 0, 1, 0, (byte)count, 0, 0, 0, 0, .. question[12..(end + 5)],
            .. (found ?? []).Take(count).SelectMany(data => (byte[])[0xC0, 12, 0, (byte)DnsMessage.NumberOf(type), 0, 1, 0, 0, 0, 60, 0, (byte)data.Length, .. data]),
        ];
    }

    private static byte[] Encoded(string name) => [.. name.Split('.').SelectMany(l => (byte[])[(byte)l.Length, .. Encoding.UTF8.GetBytes(l)]), 0];
}
