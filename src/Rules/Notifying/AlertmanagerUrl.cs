using System.Globalization;
using System.Text;

namespace Metrics.Rules.Notifying;

/// <summary>Alertmanagers named by one URL, as Thanos's <c>alertmanagers.url</c> and Mimir's <c>ruler.alertmanager-url</c> have it.</summary>
/// <remarks>
/// <code>
///   http://am:9093/prefix               that one
///   dns+http://am:9093                  one at each address of the name; port 9093 when none is given
///   dnssrv+http://_http._tcp.am         one at each address of each host of the SRV records
///   dnssrvnoa+http://_http._tcp.am      one at each host of the SRV records
///   https://user:password@am            basic authentication
/// </code>
/// </remarks>
public static class AlertmanagerUrl
{
    private const int DefaultPort = 9093;
    private static readonly TimeSpan refresh = TimeSpan.FromSeconds(30);

    /// <summary>The set that a URL stands for.</summary>
    /// <exception cref="FormatException">It is no such URL.</exception>
    public static AlertmanagerSetOptions Parse(string text)
    {
        var plus = text.IndexOf('+');
        var prefix = plus > 0 && text.AsSpan(0, plus) is "dns" or "dnssrv" or "dnssrvnoa" ? text[..(plus + 1)] : "";
        if (!Uri.TryCreate(text[prefix.Length..], UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
        {
            throw new FormatException($"{text}; allowed is a URL such as http://localhost:9093, dns+http://am:9093 or dnssrv+http://_http._tcp.am");
        }

        var set = new AlertmanagerSetOptions { Scheme = url.Scheme, PathPrefix = url.AbsolutePath };
        if (url.UserInfo.Length > 0)
        {
            // As sent: user and password, each unescaped.
            var credentials = string.Join(':', url.UserInfo.Split(':', 2).Select(Uri.UnescapeDataString));
            set = set with { Authorization = () => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)) };
        }

        return AddTarget(set, prefix + url.Authority);
    }

    /// <summary>The set with one target more: <c>host:port</c>, or a name to look up when it begins with <c>dns+</c>, <c>dnssrv+</c> or <c>dnssrvnoa+</c>.</summary>
    /// <exception cref="FormatException">The port is none.</exception>
    internal static AlertmanagerSetOptions AddTarget(AlertmanagerSetOptions set, string target)
    {
        var plus = target.IndexOf('+');
        var name = target[(plus + 1)..];
        DnsName? lookup = (plus < 0 ? "" : target[..plus]) switch
        {
            "dns" => Addresses(name),
            "dnssrv" => new DnsName(HostOf(name), DnsRecordType.Srv, 0, refresh) { ResolvesTargets = true },
            "dnssrvnoa" => new DnsName(HostOf(name), DnsRecordType.Srv, 0, refresh),
            _ => null,
        };
        return lookup is null ? set with { Targets = [.. set.Targets, target] } : set with { DnsNames = [.. set.DnsNames, lookup] };
    }

    private static DnsName Addresses(string name)
    {
        var colon = name.LastIndexOf(':');
        var port = DefaultPort;
        if (colon >= 0 && (!int.TryParse(name.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is 0 or > 65535))
        {
            throw new FormatException($"dns+{name}: got port \"{name[(colon + 1)..]}\", want a number from 1 to 65535");
        }

        return new DnsName(HostOf(name), DnsRecordType.A, port, refresh) { ResolvesTargets = true };
    }

    private static string HostOf(string name) => name.LastIndexOf(':') is var colon and >= 0 ? name[..colon] : name;
}
