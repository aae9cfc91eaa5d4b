namespace Metrics.Gateway.Security;

/// <summary>Who may call a route.</summary>
internal enum RouteAccess
{
    /// <summary>Administrators. What a route is that does not say.</summary>
    Admin,

    /// <summary>Whoever may read the tenant that the request is about.</summary>
    Read,

    /// <summary>Whoever may write to the tenant that the request is about.</summary>
    Write,

    /// <summary>GET and HEAD as <see cref="Read"/>, the rest as <see cref="Write"/>.</summary>
    ReadOrWrite,

    /// <summary>Anyone.</summary>
    Open,
}
