using Metrics.Gateway.Security;

namespace Metrics.Gateway.Server;

/// <summary>One path and who answers there.</summary>
/// <param name="Methods">The HTTP methods it takes.</param>
/// <param name="Path">The path, with <c>{name}</c> for the one segment that varies, or <c>{*rest}</c> at its end for whatever follows.</param>
/// <param name="Handler">What metrics call it.</param>
/// <param name="AnswerAsync">Answers the request.</param>
internal sealed record HttpRoute(string[] Methods, string Path, string Handler, Func<HttpContext, Task> AnswerAsync)
{
    /// <summary>Who may call it.</summary>
    public RouteAccess Access { get; init; } = RouteAccess.Admin;

    /// <summary>Sets headers that every answer has, also one that is given before the endpoint is asked; null for none.</summary>
    public Action<IHeaderDictionary>? SetHeaders { get; init; }

    /// <summary>Who may call it with a method.</summary>
    public RouteAccess AccessBy(string method) =>
        Access != RouteAccess.ReadOrWrite ? Access : HttpMethods.IsGet(method) || HttpMethods.IsHead(method) ? RouteAccess.Read : RouteAccess.Write;

    /// <summary>GET.</summary>
    public static readonly string[] Get = ["GET"];

    /// <summary>GET and HEAD.</summary>
    public static readonly string[] GetHead = ["GET", "HEAD"];

    /// <summary>GET and POST with a form.</summary>
    public static readonly string[] GetPost = ["GET", "POST"];

    /// <summary>POST.</summary>
    public static readonly string[] Post = ["POST"];
}
