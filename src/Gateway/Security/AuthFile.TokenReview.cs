using Metrics.Gateway.Configuration;
using YamlDotNet.RepresentationModel;

namespace Metrics.Gateway.Security;

/// <summary>The section <c>token_review</c>.</summary>
internal sealed partial class AuthFile
{
    private TokenReviewOptions ReadTokenReview(YamlNode node)
    {
        var found = new TokenReviewOptions();
        foreach (var (key, value) in ConfigurationFile.Entries(name, node, "token_review"))
        {
            found = Scalar(key, "a key") switch
            {
                "url" => found with { Url = UrlOf(value, "url") },
                "ca_file" => found with { CaFile = Scalar(value, "a file") },
                "token_file" => found with { TokenFile = Scalar(value, "a file") },
                "audiences" => found with { Audiences = List(value, "audiences") },
                "cache" => found with { Cache = ConfigurationFile.Duration(name, value, "cache", TimeSpan.FromHours(1)) },
                "namespace_roles" => found with { NamespaceMayRead = Roles(value, "namespace_roles").MayRead, NamespaceMayWrite = Roles(value, "namespace_roles").MayWrite },
                "bindings" => found with { Bindings = Bindings(value) },
                var other => throw Unknown(key, other, "url, ca_file, token_file, audiences, cache, namespace_roles, bindings"),
            };
        }

        // Both are read now, so that a mistake shows at start; the token again with each review.
        _ = ReadFile(node, "token_file", found.TokenFile);
        if (found.CaFile.Length > 0 && found.Url.Scheme == Uri.UriSchemeHttps)
        {
            _ = ReadFile(node, "ca_file", found.CaFile);
            files.Add(found.CaFile);
        }

        return found;
    }

    private List<KubernetesBinding> Bindings(YamlNode node) =>
        node is YamlSequenceNode list ? [.. list.Children.Select(BindingOf)] : throw Error(node, "bindings must be a list");

    private KubernetesBinding BindingOf(YamlNode node)
    {
        (KubernetesSubject Kind, string Name)? subject = null;
        var (read, write, isAdmin) = (TenantSet.None, TenantSet.None, false);
        foreach (var (key, value) in ConfigurationFile.Entries(name, node, "a binding"))
        {
            switch (Scalar(key, "a key"))
            {
                case "user": SetSubject(KubernetesSubject.User, Scalar(value, "a user")); break;
                case "group": SetSubject(KubernetesSubject.Group, Scalar(value, "a group")); break;
                case "service_account":
                    var account = Scalar(value, "a service account");
                    SetSubject(KubernetesSubject.ServiceAccount, account.Split('/') is [{ Length: > 0 } and not "*", { Length: > 0 }] ? account : throw Error(value, $"service_account: got \"{account}\", want NAMESPACE/NAME or NAMESPACE/*"));
                    break;
                case "read": read = Tenants(value, "read"); break;
                case "write": write = Tenants(value, "write"); break;
                case "admin": isAdmin = ConfigurationFile.Flag(name, value, "admin"); break;
                case var other: throw Unknown(key, other, "user, group, service_account, read, write, admin");
            }
        }

        return subject is var (kind, who) && who.Length > 0
            ? new KubernetesBinding(kind, who, new Identity(who, read, write, isAdmin))
            : throw Error(node, "a binding needs user, group or service_account, one of the three");

        void SetSubject(KubernetesSubject of, string called) =>
            subject = subject is null ? (of, called) : throw Error(node, "a binding needs user, group or service_account, one of the three");
    }
}
