using System.Security.Cryptography;
using System.Text;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Security;

/// <summary>Reads the file of <c>security.auth_file</c>. Messages name file, line and key, and never a secret.</summary>
/// <remarks>
/// <code>
///   identities:
///     - name: team-a
///       username: team-a
///       password_hash: pbkdf2-sha256$600000$...    # metrics hash-password; or password_file
///       token_file: /etc/metrics/team-a.token      # a bearer token
///       common_name: agent.team-a                  # of a client certificate
///       read: [team-a]                             # "*" for all
///       write: [team-a]
///       admin: false
///   certificates: {tenant_field: organizational_unit, roles: [read, write]}
///   jwt: {jwks_url: ..., issuer: ..., audience: ..., tenants_claim: tenants, roles_claim: roles, name_claim: sub}
///   token_review: {url: ..., ca_file: ..., token_file: ..., audiences: [...], cache: 2m, namespace_roles: [...], bindings: [{group: ..., read: [...]}]}
/// </code>
/// </remarks>
internal sealed partial class AuthFile
{
    private const int MaxSecretBytes = 64 * 1024;

    private readonly string name;
    private readonly List<string> files;
    private readonly Dictionary<string, (PasswordHash, Identity)> users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Identity> tokens = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Identity> commonNames = new(StringComparer.Ordinal);
    private CertificateTenant? certificates;
    private JwtOptions? jwt;
    private TokenReviewOptions? tokenReview;

    private AuthFile(string name)
    {
        this.name = name;
        files = [name];
    }

    /// <summary>Reads the file, and those that it names.</summary>
    /// <exception cref="ConfigurationException">One can't be read, or says something that is not allowed.</exception>
    public static Credentials Read(string path)
    {
        var file = new AuthFile(path);
        try
        {
            file.Parse(File.ReadAllText(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"security.auth_file {path}: {e.Message}");
        }

        return new Credentials { Users = file.users, Tokens = file.tokens, CommonNames = file.commonNames, Certificates = file.certificates, Jwt = file.jwt, TokenReview = file.tokenReview, Files = file.files };
    }

    /// <summary>The key under which a token is kept.</summary>
    public static string DigestOf(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private void Parse(string text)
    {
        if (ConfigurationFile.Parse(name, text) is not { } root)
        {
            return;
        }

        foreach (var (key, value) in ConfigurationFile.Entries(name, root, "the file"))
        {
            switch (Scalar(key, "a section name"))
            {
                case "identities" when value is YamlSequenceNode list:
                    foreach (var identity in list)
                    {
                        AddIdentity(identity);
                    }

                    break;
                case "identities": throw Error(value, "identities must be a list");
                case "certificates": certificates = ReadCertificates(value); break;
                case "jwt": jwt = ReadJwt(value); break;
                case "token_review": tokenReview = ReadTokenReview(value); break;
                case var other: throw Unknown(key, other, "identities, certificates, jwt, token_review");
            }
        }
    }

    private void AddIdentity(YamlNode node)
    {
        string id = "", user = "", commonName = "";
        PasswordHash? password = null;
        string? token = null;
        var (read, write, isAdmin) = (TenantSet.None, TenantSet.None, false);
        foreach (var (key, value) in ConfigurationFile.Entries(name, node, "an identity"))
        {
            switch (Scalar(key, "a key"))
            {
                case "name": id = Scalar(value, "a name"); break;
                case "username": user = Scalar(value, "a username"); break;
                case "password_hash":
                    password = PasswordHash.TryParse(Scalar(value, "a hash"), out var hash) ? hash : throw Error(value, "password_hash: want pbkdf2-sha256$ITERATIONS$SALT$HASH, as metrics hash-password writes it");
                    break;
                case "password_file": password = PasswordHash.Of(Secret(value, "password_file"), iterations: 1); break;
                case "token_file": token = Secret(value, "token_file"); break;
                case "common_name": commonName = Scalar(value, "a common name"); break;
                case "read": read = Tenants(value, "read"); break;
                case "write": write = Tenants(value, "write"); break;
                case "admin": isAdmin = ConfigurationFile.Flag(name, value, "admin"); break;
                case var other: throw Unknown(key, other, "name, username, password_hash, password_file, token_file, common_name, read, write, admin");
            }
        }

        if (id.Length == 0)
        {
            throw Error(node, "an identity needs a name");
        }

        if (user.Length > 0 != password is not null)
        {
            throw Error(node, $"identity {id}: a username needs password_hash or password_file, and they need a username");
        }

        var identity = new Identity(id, read, write, isAdmin);
        Add(node, users, user, (password!, identity), id, "username");
        Add(node, tokens, token is null ? "" : DigestOf(token), identity, id, "token");
        Add(node, commonNames, commonName, identity, id, "common_name");
    }

    private void Add<T>(YamlNode node, Dictionary<string, T> to, string key, T value, string id, string what)
    {
        if (key.Length > 0 && !to.TryAdd(key, value))
        {
            throw Error(node, $"identity {id}: another one has the same {what}");
        }
    }

    private CertificateTenant ReadCertificates(YamlNode node)
    {
        var oid = "";
        var (mayRead, mayWrite) = (true, true);
        foreach (var (key, value) in ConfigurationFile.Entries(name, node, "certificates"))
        {
            switch (Scalar(key, "a key"))
            {
                case "tenant_field":
                    // X.520 attributes.
                    oid = Scalar(value, "a field") switch
                    {
                        "organization" => "2.5.4.10",
                        "organizational_unit" => "2.5.4.11",
                        "common_name" => "2.5.4.3",
                        var other => throw Error(value, $"tenant_field: got \"{other}\", want organization, organizational_unit or common_name"),
                    };
                    break;
                case "roles":
                    (mayRead, mayWrite) = Roles(value, "roles");
                    break;
                case var other: throw Unknown(key, other, "tenant_field, roles");
            }
        }

        return oid.Length > 0 ? new CertificateTenant(oid, mayRead, mayWrite) : throw Error(node, "certificates needs tenant_field");
    }

    private JwtOptions ReadJwt(YamlNode node)
    {
        var found = new JwtOptions();
        foreach (var (key, value) in ConfigurationFile.Entries(name, node, "jwt"))
        {
            var what = Scalar(key, "a key");
            var text = Scalar(value, $"a value of {what}");
            found = what switch
            {
                "jwks_file" => found with { JwksFile = text },
                "jwks_url" => found with { JwksUrl = UrlOf(value, "jwks_url") },
                "issuer" => found with { Issuer = text },
                "audience" => found with { Audience = text },
                "tenants_claim" => found with { TenantsClaim = text },
                "roles_claim" => found with { RolesClaim = text },
                "name_claim" => found with { NameClaim = text },
                _ => throw Unknown(key, what, "jwks_file, jwks_url, issuer, audience, tenants_claim, roles_claim, name_claim"),
            };
        }

        if (found.JwksFile.Length > 0 == found.JwksUrl is not null)
        {
            throw Error(node, "jwt needs jwks_file or jwks_url, one of the two");
        }

        if (found.JwksFile.Length > 0)
        {
            files.Add(found.JwksFile);
            _ = JsonWebKeys.Parse(found.JwksFile, ReadFile(node, "jwks_file", found.JwksFile));
        }

        return found;
    }

    private (bool MayRead, bool MayWrite) Roles(YamlNode node, string what)
    {
        var roles = List(node, what);
        return roles.FirstOrDefault(r => r is not ("read" or "write")) is { } unknown
            ? throw Error(node, $"{what}: got \"{unknown}\", want read or write")
            : (roles.Contains("read", StringComparer.Ordinal), roles.Contains("write", StringComparer.Ordinal));
    }

    private Uri UrlOf(YamlNode at, string what) =>
        Uri.TryCreate(Scalar(at, "a URL"), UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttps || (url.Scheme == Uri.UriSchemeHttp && url.IsLoopback))
            ? url : throw Error(at, $"{what}: want an https URL; http is taken for this machine alone");

    private TenantSet Tenants(YamlNode node, string what)
    {
        var names = List(node, what);
        return names.Contains("*", StringComparer.Ordinal) ? TenantSet.All
            : TenantSet.Of(names.Select(n => TenantId.TryParse(n, out var id, out var error) ? id : throw Error(node, $"{what}: no tenant id: {error}")));
    }

    private List<string> List(YamlNode node, string what) =>
        node is YamlSequenceNode list ? [.. list.Children.Select(c => Scalar(c, $"an item of {what}"))] : throw Error(node, $"{what} must be a list");

    private string Secret(YamlNode at, string what)
    {
        var path = Scalar(at, "a file");
        files.Add(path);
        var secret = Encoding.UTF8.GetString(ReadFile(at, what, path)).Trim();
        return secret.Length > 0 ? secret : throw Error(at, $"{what} {path}: the file is empty");
    }

    private byte[] ReadFile(YamlNode at, string what, string path)
    {
        try
        {
            var file = new FileInfo(path);
            return file.Length <= MaxSecretBytes || what == "jwks_file" ? File.ReadAllBytes(path) : throw Error(at, $"{what} {path}: {file.Length} bytes, allowed are {MaxSecretBytes}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Error(at, $"{what}: {e.Message}");
        }
    }

    private string Scalar(YamlNode node, string what) => ConfigurationFile.Scalar(name, node, what);

    private ConfigurationException Error(YamlNode at, string message) => ConfigurationFile.Error(name, at, message);

    private ConfigurationException Unknown(YamlNode at, string what, string allowed) => Error(at, $"unknown key \"{what}\"; allowed are {allowed}");
}
