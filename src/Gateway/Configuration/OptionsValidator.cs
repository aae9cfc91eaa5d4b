using System.Net;
using System.Numerics;
using Metrics.Cluster;
using Metrics.Model;

namespace Metrics.Gateway.Configuration;

/// <summary>Rules that one bound cannot say; run once, before anything starts.</summary>
internal static class OptionsValidator
{
    /// <summary>The names that <c>query.enable_features</c> takes, each what Prometheus calls it.</summary>
    public static IReadOnlyList<string> KnownFeatures { get; } =
    [
        "promql-experimental-functions", "promql-extended-range-selectors", "promql-binop-fill-modifiers", "promql-duration-expr", "promql-per-step-stats",
        "promql-delayed-name-removal", "type-and-unit-labels", "use-start-timestamps",
    ];

    /// <summary>Checks everything.</summary>
    /// <exception cref="ConfigurationException">Something is not allowed.</exception>
    public static void Validate(GatewayOptions options)
    {
        ParseListen(options.Http.Listen);
        var prefix = options.Http.RoutePrefix;
        if (prefix.Length > 0 && (prefix[0] != '/' || prefix[^1] == '/'))
        {
            throw Refused("http.route_prefix", prefix, "empty, or a path that starts with / and does not end with /");
        }

        if (!TenantId.TryParse(options.Tenancy.DefaultTenant, out _, out var error))
        {
            throw Refused("tenancy.default_tenant", options.Tenancy.DefaultTenant, $"a tenant id ({error})");
        }

        if (!options.Tenancy.Header.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            throw Refused("tenancy.header", options.Tenancy.Header, "a header name of letters, digits, - and _");
        }

        foreach (var tenant in options.Tenancy.Admitted)
        {
            if (!TenantId.TryParse(tenant, out _, out error))
            {
                throw Refused("tenancy.admitted", tenant, $"tenant ids ({error})");
            }
        }

        if (options.Tenancy.UnionLabel.Length == 0)
        {
            throw Refused("tenancy.union_label", "", "the name of a label");
        }

        var security = options.Security;
        if (security.CertFile.Length > 0 != security.KeyFile.Length > 0)
        {
            throw Refused("security.key_file", security.KeyFile, "a file when security.cert_file is one, and only then");
        }

        if (security.ClientCaFile.Length > 0 && security.CertFile.Length == 0)
        {
            throw Refused("security.client_ca_file", security.ClientCaFile, "a file only when security.cert_file is one");
        }

        if (security.RequireClientCert && security.ClientCaFile.Length == 0)
        {
            throw Refused("security.require_client_cert", "true", "true only with security.client_ca_file");
        }

        var write = options.RemoteWrite;
        if (write.MaxInflight.Bytes < write.MaxBody.Bytes + write.MaxDecompressed.Bytes)
        {
            throw Refused("remote_write.max_inflight", write.MaxInflight.ToString(), "at least remote_write.max_body and remote_write.max_decompressed together");
        }

        foreach (var (key, value, allowed) in options.Otlp.Validate())
        {
            throw Refused(key, value, allowed);
        }

        if (options.Storage.ShardsPerTenant > 0 && !BitOperations.IsPow2(options.Storage.ShardsPerTenant))
        {
            throw Refused("storage.shards_per_tenant", options.Storage.ShardsPerTenant.ToString(), "0 or a power of two, up to 1024");
        }

        if (options.Storage.SplitSeries is > 0 and < 1000)
        {
            throw Refused("storage.split_series", options.Storage.SplitSeries.ToString(), "0, or at least 1000");
        }

        if (options.Storage.SplitSamplesPerSecond is > 0 and < 100)
        {
            throw Refused("storage.split_samples_per_second", options.Storage.SplitSamplesPerSecond.ToString(), "0, or at least 100");
        }

        if (options.Storage.DataDir.Length == 0)
        {
            throw Refused("storage.data_dir", "", "the path of a folder");
        }

        if (options.Storage.Retention > TimeSpan.Zero && options.Storage.Retention < options.Storage.BlockRange)
        {
            throw Refused("storage.retention", DurationText.Format(options.Storage.Retention), "0, or at least storage.block_range");
        }

        ValidateCluster(options.Cluster);
        var traces = options.Telemetry.TracesEndpoint;
        if (traces.Length > 0 && (!Uri.TryCreate(traces, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https")))
        {
            throw Refused("telemetry.traces_endpoint", traces, "empty, or a URL with http or https");
        }

        foreach (var feature in options.Query.EnableFeatures)
        {
            if (!KnownFeatures.Contains(feature, StringComparer.Ordinal))
            {
                throw Refused("query.enable_features", feature, string.Join(", ", KnownFeatures));
            }
        }
    }

    private static void ValidateCluster(ClusterSettings cluster)
    {
        ParseListen(cluster.Listen, "cluster.listen");
        if (SiloCard.ZoneProblem(cluster.Zone) is { } problem)
        {
            throw Refused("cluster.zone", cluster.Zone, $"a short name ({problem})");
        }

        if (TenantPool.Problem(string.Join(',', cluster.Tenants)) is { } noPool)
        {
            throw Refused("cluster.tenants", string.Join(',', cluster.Tenants), $"names or patterns of tenants ({noPool})");
        }

        if (cluster.Name.Length is 0 or > 64 || !cluster.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            throw Refused("cluster.name", cluster.Name, "1 to 64 letters, digits, - and _");
        }

        if (cluster.TlsCertFile.Length > 0 != cluster.TlsKeyFile.Length > 0 || cluster.TlsCertFile.Length > 0 != cluster.TlsCaFile.Length > 0)
        {
            throw Refused("cluster.tls_cert_file", cluster.TlsCertFile, "a file together with cluster.tls_key_file and cluster.tls_ca_file, or none of the three");
        }

        if (cluster.AdvertisedAddress.Length > 0 && !IPAddress.TryParse(cluster.AdvertisedAddress, out _))
        {
            throw Refused("cluster.advertised_address", cluster.AdvertisedAddress, "empty or an IP address");
        }
    }

    /// <summary>Reads HOST:PORT; <c>localhost</c> is the loopback address, an empty host every address.</summary>
    /// <exception cref="ConfigurationException">The text is no address and port.</exception>
    public static IPEndPoint ParseListen(string listen, string key = "http.listen")
    {
        var colon = listen.LastIndexOf(':');
        var host = colon < 0 ? listen : listen[..colon];
        var normal = host switch { "localhost" => "127.0.0.1", "" => "0.0.0.0", _ => host };
        if (colon < 0 || !ushort.TryParse(listen.AsSpan(colon + 1), System.Globalization.NumberStyles.None, null, out var port)
            || (normal.Contains(':') && !normal.StartsWith('[')) || !IPAddress.TryParse(normal, out var address))
        {
            throw Refused(key, listen, "ADDRESS:PORT with an IP address and a port from 0 to 65535, such as 127.0.0.1:10902 or [::1]:10902");
        }

        return new IPEndPoint(address, port);
    }

    private static ConfigurationException Refused(string key, string value, string allowed) => new($"{key}: \"{value}\" is not allowed; allowed is {allowed}");
}
