using System.Net;

namespace Metrics.Rules.Templates;

/// <summary>Addresses with ports, as Go's <c>net.SplitHostPort</c> cuts them.</summary>
internal static class HostPort
{
    /// <summary>The address without its port; what has none stays as it is.</summary>
    public static string WithoutPort(string address) => TrySplit(address, out var host, out _) ? host : address;

    /// <summary>The address with its name cut after the first label; an IP address stays as it is.</summary>
    public static string WithoutDomain(string address)
    {
        var port = "";
        if (!TrySplit(address, out var host, out var given))
        {
            host = address;
        }
        else
        {
            port = given;
        }

        if (IPAddress.TryParse(host, out _) && (host.Contains(':') || host.Count(c => c == '.') == 3))
        {
            return address;
        }

        host = host.Split('.')[0];
        return port.Length == 0 ? host : host.Contains(':') ? $"[{host}]:{port}" : $"{host}:{port}";
    }

    private static bool TrySplit(string address, out string host, out string port)
    {
        host = port = "";
        var colon = address.LastIndexOf(':');
        if (colon < 0)
        {
            return false;
        }

        if (address[0] == '[')
        {
            var close = address.IndexOf(']');
            if (close + 1 != colon)
            {
                return false;
            }

            host = address[1..close];
        }
        else
        {
            host = address[..colon];
            if (host.Contains(':'))
            {
                return false;
            }
        }

        port = address[(colon + 1)..];
        return !host.Contains('[') && !host.Contains(']') && !port.Contains('[') && !port.Contains(']');
    }
}
