namespace Metrics.Gateway.Security;

/// <summary>How bearer tokens are shown to a Kubernetes API server, and what the users that it knows may do here.</summary>
internal sealed record TokenReviewOptions
{
    private const string PodFolder = "/var/run/secrets/kubernetes.io/serviceaccount/";

    /// <summary>The API server; what it is called inside a cluster by default.</summary>
    public Uri Url { get; init; } = new("https://kubernetes.default.svc");

    /// <summary>The authorities that may have signed its certificate, PEM; those of the machine when empty. By default where Kubernetes puts them into a pod.</summary>
    public string CaFile { get; init; } = PodFolder + "ca.crt";

    /// <summary>The token that we show the API server ourselves; read anew with every review, because it rotates. By default the pod's.</summary>
    public string TokenFile { get; init; } = PodFolder + "token";

    /// <summary>For whom a token must have been made, one of these; empty: for the API server itself.</summary>
    public IReadOnlyList<string> Audiences { get; init; } = [];

    /// <summary>How long the answer for a token holds. 2 min is what Kubernetes' own API servers keep answers of webhooks for.</summary>
    public TimeSpan Cache { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Whether a service account may read the tenant that is called as its namespace.</summary>
    public bool NamespaceMayRead { get; init; }

    /// <summary>Whether a service account may write to the tenant that is called as its namespace.</summary>
    public bool NamespaceMayWrite { get; init; }

    /// <summary>Who may do what. All that fit count together.</summary>
    public IReadOnlyList<KubernetesBinding> Bindings { get; init; } = [];
}

/// <summary>What some users of Kubernetes may do here.</summary>
/// <param name="Kind">What <paramref name="Name"/> names.</param>
/// <param name="Name">A user, a group, or <c>NAMESPACE/NAME</c> of a service account with <c>*</c> for any name.</param>
/// <param name="Granted">What they may.</param>
internal sealed record KubernetesBinding(KubernetesSubject Kind, string Name, Identity Granted)
{
    /// <summary>True when the user is one of them.</summary>
    public bool Fits(KubernetesUser user) => Kind switch
    {
        KubernetesSubject.User => user.Name == Name,
        KubernetesSubject.Group => user.Groups.Contains(Name, StringComparer.Ordinal),
        _ => user.ServiceAccount is var (space, name) && (Name == $"{space}/{name}" || Name == $"{space}/*"),
    };
}

/// <summary>What a binding names.</summary>
internal enum KubernetesSubject
{
    /// <summary>A user by name.</summary>
    User,

    /// <summary>The members of a group.</summary>
    Group,

    /// <summary>A service account, or all of a namespace.</summary>
    ServiceAccount,
}

/// <summary>Whom a token belongs to, as the API server says.</summary>
/// <param name="Name">The user's name.</param>
/// <param name="Groups">The groups that they are in.</param>
internal sealed record KubernetesUser(string Name, IReadOnlyList<string> Groups)
{
    private const string ServiceAccountPrefix = "system:serviceaccount:";

    /// <summary>Namespace and name, when it is a service account.</summary>
    public (string Namespace, string Name)? ServiceAccount =>
        Name.StartsWith(ServiceAccountPrefix, StringComparison.Ordinal) && Name[ServiceAccountPrefix.Length..].Split(':') is [{ Length: > 0 } space, { Length: > 0 } name] ? (space, name) : null;
}
