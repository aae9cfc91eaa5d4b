using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Metrics.ObjectStore.Tests;

/// <summary>What a proxy does to one request.</summary>
public enum Fault
{
    None,

    /// <summary>500 without asking the server.</summary>
    Error,

    /// <summary>503 SlowDown without asking the server.</summary>
    SlowDown,

    /// <summary>The server did it, and the answer became a 500.</summary>
    ErrorAfter,

    /// <summary>The connection is reset before the server hears of it.</summary>
    Reset,

    /// <summary>The server did it, and the connection is reset.</summary>
    ResetAfter,

    /// <summary>No answer, ever; the server hears nothing.</summary>
    Hang,

    /// <summary>The server did it, and there is no answer, ever.</summary>
    HangAfter,

    /// <summary>The answer ends in its middle, politely.</summary>
    Truncate,

    /// <summary>The answer stops in its middle, for ever.</summary>
    Stall,

    /// <summary>The answer comes in crumbs, but it comes.</summary>
    Slow,
}

/// <summary>An HTTP proxy on loopback that passes each request to the server and injects the fault that the test asks for. One request a connection.</summary>
internal sealed class FaultyProxy : IAsyncDisposable
{
    private const int MaxHeadBytes = 64 << 10;
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly int serverPort;
    private readonly X509Certificate2? certificate;
    private readonly Task accepting;

    public FaultyProxy(int serverPort, X509Certificate2? certificate = null)
    {
        this.serverPort = serverPort;
        this.certificate = certificate;
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = AcceptAsync();
    }

    public int Port { get; }

    public string Endpoint => $"127.0.0.1:{Port}";

    /// <summary>Chooses the fault of a request from its first line and headers. Called from several threads.</summary>
    public Func<string, Fault> Choose { get; set; } = static _ => Fault.None;

    /// <summary>The heads of all requests so far.</summary>
    public List<string> Heads { get; } = [];

    /// <summary>Gives the first so many requests a fault, and none to the others.</summary>
    public void FailNext(int count, Fault fault)
    {
        var left = count;
        Choose = _ => Interlocked.Decrement(ref left) >= 0 ? fault : Fault.None;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var running = new List<Task>();
        try
        {
            while (true)
            {
                running.Add(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Disposed.
        }

        await Task.WhenAll(running);
    }

    private async Task ServeAsync(TcpClient connection)
    {
        using var client = connection;
        client.NoDelay = true;
        try
        {
            await using Stream stream = certificate is null ? client.GetStream() : new SslStream(client.GetStream());
            if (stream is SslStream tls)
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, stop.Token);
            }

            if (await ReadRequestAsync(stream) is { } request)
            {
                await AnswerAsync(client, stream, request.Head, request.Body);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // The client went away, as it does when it has waited long enough.
        }
    }

    private async Task AnswerAsync(TcpClient client, Stream stream, string head, byte[] body)
    {
        lock (Heads)
        {
            Heads.Add(head);
        }

        var fault = Choose(head);
        byte[] answer = fault switch
        {
            Fault.Error or Fault.SlowDown or Fault.Reset or Fault.Hang => [],
            _ => await ForwardAsync(head, body),
        };
        switch (fault)
        {
            case Fault.Error or Fault.ErrorAfter:
                await stream.WriteAsync(ErrorAnswer("500 Internal Server Error", "InternalError"), stop.Token);
                break;
            case Fault.SlowDown:
                await stream.WriteAsync(ErrorAnswer("503 Slow Down", "SlowDown"), stop.Token);
                break;
            case Fault.Reset or Fault.ResetAfter:
                client.LingerState = new LingerOption(enable: true, 0);
                client.Client.Close();
                break;
            case Fault.Hang or Fault.HangAfter:
                await WaitForHangUpAsync(stream);
                break;
            case Fault.Truncate:
                await stream.WriteAsync(answer.AsMemory(0, Cut(answer)), stop.Token);
                break;
            case Fault.Stall:
                await stream.WriteAsync(answer.AsMemory(0, Cut(answer)), stop.Token);
                await WaitForHangUpAsync(stream);
                break;
            case Fault.Slow:
                foreach (var crumb in answer.Chunk(Math.Max(1, answer.Length / 5)))
                {
                    await stream.WriteAsync(crumb, stop.Token);
                    await Task.Delay(TimeSpan.FromMilliseconds(5), stop.Token);
                }

                break;
            default:
                await stream.WriteAsync(answer, stop.Token);
                break;
        }
    }

    /// <summary>In the middle of the body; of the head where there is none.</summary>
    private static int Cut(byte[] answer)
    {
        var body = answer.AsSpan().IndexOf("\r\n\r\n"u8) + 4;
        return body < answer.Length ? body + ((answer.Length - body) / 2) : body / 2;
    }

    private static byte[] ErrorAnswer(string status, string code)
    {
        var body = $"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>injected by the test</Message></Error>";
        return Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}");
    }

    private async Task WaitForHangUpAsync(Stream stream)
    {
        var nothing = new byte[1];
        while (await stream.ReadAsync(nothing, stop.Token) > 0)
        {
            // A client that sends more than it said is let.
        }
    }

    private async Task<(string Head, byte[] Body)?> ReadRequestAsync(Stream stream)
    {
        var buffer = new MemoryStream();
        var chunk = new byte[32 << 10];
        int headBytes;
        while ((headBytes = buffer.GetBuffer().AsSpan(0, (int)buffer.Length).IndexOf("\r\n\r\n"u8)) < 0)
        {
            var read = await stream.ReadAsync(chunk, stop.Token);
            if (read == 0 || buffer.Length > MaxHeadBytes)
            {
                return null;
            }

            buffer.Write(chunk, 0, read);
        }

        headBytes += 4;
        var head = Encoding.UTF8.GetString(buffer.GetBuffer(), 0, headBytes);
        var body = new byte[int.Parse(HeaderOf(head, "Content-Length") ?? "0", CultureInfo.InvariantCulture)];
        var early = (int)buffer.Length - headBytes;
        buffer.GetBuffer().AsSpan(headBytes, early).CopyTo(body);
        if (early < body.Length)
        {
            if (HeaderOf(head, "Expect") is not null)
            {
                await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), stop.Token);
            }

            await stream.ReadExactlyAsync(body.AsMemory(early), stop.Token);
        }

        return (head, body);
    }

    private async Task<byte[]> ForwardAsync(string head, byte[] body)
    {
        using var server = new TcpClient { NoDelay = true };
        await server.ConnectAsync(IPAddress.Loopback, serverPort, stop.Token);
        var stream = server.GetStream();
        var lines = head.Split("\r\n").Where(l => !l.StartsWith("Expect:", StringComparison.OrdinalIgnoreCase)
            && !l.StartsWith("Connection:", StringComparison.OrdinalIgnoreCase) && l.Length > 0);
        byte[] request = [.. Encoding.UTF8.GetBytes(string.Join("\r\n", lines) + "\r\nConnection: close\r\n\r\n"), .. body];
        await stream.WriteAsync(request, stop.Token);
        var answer = new MemoryStream();
        await stream.CopyToAsync(answer, stop.Token);
        return answer.ToArray();
    }

    private static string? HeaderOf(string head, string name) => head.Split("\r\n")
        .Where(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(l => l[(name.Length + 1)..].Trim()).FirstOrDefault();
}
