using System.Text;
using Metrics.Model;
using Metrics.Rules.Files;
using Metrics.Rules.Relabelling;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Metrics.Rules.Notifying;

/// <summary>Reads what Prometheus's configuration has under <c>alerting</c>: <c>alert_relabel_configs</c> and <c>alertmanagers</c>.</summary>
/// <remarks>Of discovery there is <c>static_configs</c> and <c>dns_sd_configs</c>; of authentication <c>basic_auth</c>, <c>authorization</c>, <c>oauth2</c> and <c>tls_config</c>.</remarks>
public sealed class AlertingConfigReader
{
    private readonly YamlText yaml = new();

    private AlertingConfigReader()
    {
    }

    /// <summary>Reads the YAML of the section.</summary>
    /// <exception cref="FormatException">It says something that is not allowed; the message has a line for each mistake.</exception>
    public static NotifierOptions Read(string text, Labels externalLabels)
    {
        try
        {
            return YamlText.Load(text, out _) is { } root ? Read(root, externalLabels) : new NotifierOptions { ExternalLabels = externalLabels };
        }
        catch (YamlException e)
        {
            throw new FormatException($"line {e.Start.Line}: {e.Message}", e);
        }
    }

    /// <summary>Reads the section where it stands in a larger file.</summary>
    /// <exception cref="FormatException">It says something that is not allowed; the message has a line for each mistake.</exception>
    public static NotifierOptions Read(YamlNode section, Labels externalLabels)
    {
        var reader = new AlertingConfigReader();
        var options = reader.ReadSection(section, new NotifierOptions { ExternalLabels = externalLabels });
        return reader.yaml.Errors.Count == 0 ? options : throw new FormatException(string.Join('\n', reader.yaml.Errors.Select(static e => e.Message)));
    }

    private NotifierOptions ReadSection(YamlNode node, NotifierOptions options)
    {
        foreach (var (key, value, _) in yaml.Fields(node, "config.AlertingConfig", "alert_relabel_configs", "alertmanagers"))
        {
            options = key == "alertmanagers"
                ? options with { Sets = [.. yaml.Items(value, "config.AlertmanagerConfigs").Select(ReadSet)] }
                : options with { AlertRelabelling = RelabelReader.Read(yaml, value) };
        }

        return options;
    }

    private AlertmanagerSetOptions ReadSet(YamlNode node)
    {
        var set = new AlertmanagerSetOptions();
        foreach (var (key, value, _) in yaml.Fields(
            node, "config.AlertmanagerConfig", "scheme", "path_prefix", "timeout", "api_version", "static_configs", "dns_sd_configs", "relabel_configs", "alert_relabel_configs",
            "basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2", "tls_config"))
        {
            var given = (set.Authorization is not null || set.OAuth2 is not null) && (key is "basic_auth" or "authorization" or "bearer_token" or "bearer_token_file" or "oauth2");
            switch (key)
            {
                case "scheme": set = set with { Scheme = ReadScheme(value) }; break;
                case "path_prefix": set = set with { PathPrefix = yaml.Text(value) }; break;
                case "timeout": set = set with { Timeout = TimeSpan.FromMilliseconds(Math.Max(yaml.DurationMs(value), 1)) }; break;
                case "api_version": CheckVersion(value); break;
                case "static_configs": set = WithTargets(set, [.. yaml.Items(value, "[]*targetgroup.Group").SelectMany(ReadTargets)], value); break;
                case "dns_sd_configs": set = set with { DnsNames = [.. set.DnsNames, .. yaml.Items(value, "[]*dns.SDConfig").SelectMany(ReadDns)] }; break;
                case "relabel_configs": set = set with { TargetRelabelling = RelabelReader.Read(yaml, value) }; break;
                case "alert_relabel_configs": set = set with { AlertRelabelling = RelabelReader.Read(yaml, value) }; break;
                case "tls_config": set = set with { Tls = ReadTls(value) }; break;
                case "bearer_token": set = set with { Authorization = Bearer("Bearer", yaml.Text(value), "") }; break;
                case "bearer_token_file": set = set with { Authorization = Bearer("Bearer", "", yaml.Text(value)) }; break;
                case "basic_auth": set = set with { Authorization = ReadBasic(value) }; break;
                case "authorization": set = set with { Authorization = ReadAuthorization(value) }; break;
                case "oauth2": set = set with { OAuth2 = ReadOAuth2(value) }; break;
            }

            if (given)
            {
                yaml.Fail(value, "at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured");
            }
        }

        return set;
    }

    private AlertmanagerSetOptions WithTargets(AlertmanagerSetOptions set, IReadOnlyList<string> targets, YamlNode at)
    {
        foreach (var target in targets)
        {
            try
            {
                set = AlertmanagerUrl.AddTarget(set, target);
            }
            catch (FormatException e)
            {
                yaml.Fail(at, e.Message);
            }
        }

        return set;
    }

    private string ReadScheme(YamlNode node)
    {
        var scheme = yaml.Text(node);
        if (scheme is not ("http" or "https"))
        {
            yaml.Fail(node, $"scheme \"{scheme}\"; allowed are http and https");
        }

        return scheme;
    }

    private void CheckVersion(YamlNode node)
    {
        if (yaml.Text(node) != "v2")
        {
            yaml.Fail(node, $"expected Alertmanager api version to be one of [v2] but got {yaml.Text(node)}");
        }
    }

    private List<string> ReadTargets(YamlNode node)
    {
        var targets = new List<string>();
        foreach (var (key, value, _) in yaml.Fields(node, "targetgroup.Group", "targets", "labels"))
        {
            targets.AddRange(key == "targets" ? yaml.Items(value, "[]string").Select(yaml.Text) : []);
        }

        return targets;
    }

    private List<DnsName> ReadDns(YamlNode node)
    {
        IReadOnlyList<string> names = [];
        var type = DnsRecordType.Srv;
        var port = 0;
        var refreshMs = 30_000L;
        foreach (var (key, value, _) in yaml.Fields(node, "dns.SDConfig", "names", "type", "port", "refresh_interval"))
        {
            switch (key)
            {
                case "names": names = [.. yaml.Items(value, "[]string").Select(yaml.Text)]; break;
                case "port": port = yaml.Whole(value); break;
                case "refresh_interval": refreshMs = Math.Max(yaml.DurationMs(value), 1000); break;
                case "type":
                    if (!Enum.TryParse(yaml.Text(value), ignoreCase: true, out type) || !Enum.IsDefined(type))
                    {
                        yaml.Fail(value, $"invalid DNS-SD records type {yaml.Text(value)}");
                    }

                    break;
            }
        }

        if (names.Count == 0)
        {
            yaml.Fail(node, "DNS-SD config must contain at least one SRV record name");
        }

        if (type != DnsRecordType.Srv && port is <= 0 or > 65535)
        {
            yaml.Fail(node, "a port is required in DNS-SD configs for all record types except SRV");
        }

        return [.. names.Select(n => new DnsName(n, type, port, TimeSpan.FromMilliseconds(refreshMs)))];
    }

    private TlsOptions ReadTls(YamlNode node)
    {
        var tls = new TlsOptions();
        foreach (var (key, value, _) in yaml.Fields(node, "config.TLSConfig", "ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify"))
        {
            tls = key switch
            {
                "ca_file" => tls with { CaFile = yaml.Text(value) },
                "cert_file" => tls with { CertFile = yaml.Text(value) },
                "key_file" => tls with { KeyFile = yaml.Text(value) },
                "server_name" => tls with { ServerName = yaml.Text(value) },
                _ => tls with { SkipsVerification = yaml.Flag(value) },
            };
        }

        if (tls.CertFile.Length == 0 != (tls.KeyFile.Length == 0))
        {
            yaml.Fail(node, "exactly one of key or key_file must be configured when a client certificate is configured");
        }

        return tls;
    }

    private Func<string> ReadBasic(YamlNode node)
    {
        string user = "", password = "", file = "";
        foreach (var (key, value, _) in yaml.Fields(node, "config.BasicAuth", "username", "password", "password_file"))
        {
            (user, password, file) = key switch
            {
                "username" => (yaml.Text(value), password, file),
                "password" => (user, yaml.Text(value), file),
                _ => (user, password, yaml.Text(value)),
            };
        }

        return () => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{Secret(password, file)}"));
    }

    private Func<string> ReadAuthorization(YamlNode node)
    {
        string type = "Bearer", credentials = "", file = "";
        foreach (var (key, value, _) in yaml.Fields(node, "config.Authorization", "type", "credentials", "credentials_file"))
        {
            (type, credentials, file) = key switch
            {
                "type" => (yaml.Text(value), credentials, file),
                "credentials" => (type, yaml.Text(value), file),
                _ => (type, credentials, yaml.Text(value)),
            };
        }

        return Bearer(type, credentials, file);
    }

    private OAuth2Options ReadOAuth2(YamlNode node)
    {
        string secret = "", file = "", url = "";
        var found = new OAuth2Options();
        foreach (var (key, value, _) in yaml.Fields(node, "config.OAuth2", "client_id", "client_secret", "client_secret_file", "scopes", "token_url", "endpoint_params", "tls_config"))
        {
            switch (key)
            {
                case "client_id": found = found with { ClientId = yaml.Text(value) }; break;
                case "client_secret": secret = yaml.Text(value); break;
                case "client_secret_file": file = yaml.Text(value); break;
                case "scopes": found = found with { Scopes = [.. yaml.Items(value, "[]string").Select(yaml.Text)] }; break;
                case "token_url": url = yaml.Text(value); break;
                case "endpoint_params" when value is YamlMappingNode pairs:
                    found = found with { EndpointParameters = pairs.Children.ToDictionary(p => yaml.Text(p.Key), p => yaml.Text(p.Value), StringComparer.Ordinal) };
                    break;
                case "tls_config": found = found with { Tls = ReadTls(value) }; break;
                default: yaml.Fail(value, "endpoint_params must hold keys and values"); break;
            }
        }

        if (!Uri.TryCreate(url, UriKind.Absolute, out var giver) || giver.Scheme is not ("http" or "https"))
        {
            yaml.Fail(node, $"oauth2 token_url \"{url}\"; wanted is a URL with http or https");
            return found;
        }

        if (found.ClientId.Length == 0)
        {
            yaml.Fail(node, "oauth2 client_id must be configured");
        }

        if (secret.Length > 0 && file.Length > 0)
        {
            yaml.Fail(node, "at most one of oauth2 client_secret & client_secret_file must be configured");
        }

        return found with { TokenUrl = giver, ClientSecret = () => Secret(secret, file) };
    }

    private static Func<string> Bearer(string type, string credentials, string file) => () => $"{type} {Secret(credentials, file)}";

    /// <summary>A secret, read anew each time it stands in a file: files are rotated.</summary>
    private static string Secret(string text, string file) => file.Length == 0 ? text : File.ReadAllText(file).Trim();
}
