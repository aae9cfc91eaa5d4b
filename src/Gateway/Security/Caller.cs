namespace Metrics.Gateway.Security;

/// <summary>What the pipeline found out about a request before its endpoint is called: who, by which way of access, and the tenant that its path names.</summary>
/// <param name="Identity">Who calls.</param>
/// <param name="Access">As what: <see cref="RouteAccess.Read"/>, <see cref="RouteAccess.Write"/>, <see cref="RouteAccess.Admin"/> or <see cref="RouteAccess.Open"/>.</param>
/// <param name="PathTenant">The tenant that the path names; null for none.</param>
internal sealed record Caller(Identity Identity, RouteAccess Access, string? PathTenant)
{
    /// <summary>The caller of a request that went through the pipeline.</summary>
    public static Caller Of(HttpContext context) => context.Features.Get<Caller>() ?? throw new InvalidOperationException("the request did not go through the pipeline");
}
