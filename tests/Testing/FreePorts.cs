using System.Net;
using System.Net.Sockets;

namespace Metrics.Testing;

/// <summary>Ports of loopback for programs that tests start.</summary>
/// <remarks>
/// They lie below those that the system gives to whoever asks for any, and to outgoing connections (32768 and above): a port of those may be taken between the look and the start of the program. Processes that run
/// tests at the same time begin at different places.
/// </remarks>
public static class FreePorts
{
    private const int First = 12_000;
    private const int Count = 20_000;

    private static int last = (int)(Environment.ProcessId * 997L % Count);

    /// <summary>A port that nobody listens on, another with each call.</summary>
    public static int Next()
    {
        while (true)
        {
            var port = First + ((Interlocked.Increment(ref last) & int.MaxValue) % Count);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
            {
                // Somebody else's.
            }
        }
    }
}
