using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Security;
using Metrics.Gateway.Telemetry;

namespace Metrics.Gateway.Server;

/// <summary>What every request passes: the route, CORS, the count and the time, and the last line against exceptions.</summary>
internal sealed partial class RequestPipeline(
    RouteTable routes, HttpOptions options, bool tenantFromPath, Authenticator authenticator, GatewayInstruments instruments, TimeProvider time, ILogger<RequestPipeline> logger)
{
    /// <summary>The item under which the variable segment of the path is kept.</summary>
    public static readonly object PathSegment = new();

    /// <summary>Answers a request.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        var started = time.GetTimestamp();
        var route = Find(context.Request.Path.Value ?? "/", out var segment, out var pathTenant);
        if (segment.Length > 0)
        {
            context.Items[PathSegment] = segment;
        }

        SetHeaders(context, route);
        RequestSpan.OnRouted(context, route?.Path ?? "none");
        try
        {
            await AnswerAsync(context, route, pathTenant);
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(context, route, e.StatusCode, e.Message);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            LogClientGone(context.Request.Path);
            context.Response.StatusCode = context.Response.HasStarted ? context.Response.StatusCode : 499;
        }
        catch (IOException e)
        {
            // A disk, the bucket or another silo: who comes again may find it back.
            LogUnexpected(context.Request.Path, e);
            await RefuseAsync(context, route, StatusCodes.Status503ServiceUnavailable, "storage can't be reached; the log has why", ApiEndpoint.RetryAfterSeconds);
        }
        catch (Exception e)
        {
            LogUnexpected(context.Request.Path, e);
            await RefuseAsync(context, route, StatusCodes.Status500InternalServerError, "internal error; the log has it");
        }

        RequestSpan.OnAnswered(context.Response.StatusCode);
        instruments.OnAnswered(route?.Handler ?? "none", context.Response.StatusCode, time.GetElapsedTime(started));
    }

    private HttpRoute? Find(string path, out string segment, out string? tenant)
    {
        tenant = null;
        var route = routes.Find(path, out segment);
        if (route is not null || !tenantFromPath)
        {
            return route;
        }

        // /TENANT/api/v1/...: only where the rest is of the API, so that nothing else is ever taken for a tenant.
        var end = path.IndexOf('/', 1);
        if (end <= 1 || !path.AsSpan(end).StartsWith("/api/v1/", StringComparison.Ordinal))
        {
            return null;
        }

        tenant = path[1..end];
        return routes.Find(path[end..], out segment);
    }

    private async Task AnswerAsync(HttpContext context, HttpRoute? route, string? pathTenant)
    {
        var method = context.Request.Method;
        if (route is null)
        {
            await (HttpMethods.IsOptions(method) && context.Request.Path.StartsWithSegments("/api/v1")
                ? NoContent(context)
                : PlainText.AnswerAsync(context, StatusCodes.Status404NotFound, "404 page not found\n"));
            return;
        }

        if (Array.IndexOf(route.Methods, method) >= 0)
        {
            if (await AdmitAsync(context, route.AccessBy(method), pathTenant))
            {
                await route.AnswerAsync(context);
            }

            return;
        }

        if (HttpMethods.IsOptions(method))
        {
            await NoContent(context);
            return;
        }

        context.Response.Headers.Allow = string.Join(", ", route.Methods) + ", OPTIONS";
        await PlainText.AnswerAsync(context, StatusCodes.Status405MethodNotAllowed, "Method Not Allowed\n");
    }

    /// <summary>Finds out who calls and whether they may call such a route at all; which tenant it is about, and whether they may that, the endpoint asks.</summary>
    private async ValueTask<bool> AdmitAsync(HttpContext context, RouteAccess access, string? pathTenant)
    {
        Identity? identity;
        try
        {
            identity = access == RouteAccess.Open ? Identity.Anyone : await authenticator.AuthenticateAsync(context);
        }
        catch (AuthenticationUnavailableException e)
        {
            ApiEndpoint.SetRetryAfter(context);
            await PlainText.AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, $"Service Unavailable: {e.Message}\n");
            return false;
        }

        if (identity is null)
        {
            context.Response.Headers.WWWAuthenticate = authenticator.Challenge;
            await PlainText.AnswerAsync(context, StatusCodes.Status401Unauthorized, "Unauthorized\n");
            return false;
        }

        if (!identity.May(access))
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status403Forbidden, "Forbidden\n");
            return false;
        }

        context.Features.Set(new Caller(identity, access, pathTenant));
        return true;
    }

    private static Task NoContent(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private async Task RefuseAsync(HttpContext context, HttpRoute? route, int status, string message, string? retryAfter = null)
    {
        if (context.Response.HasStarted)
        {
            // Half an answer is out; only a broken connection can tell that the rest will not come.
            context.Abort();
            return;
        }

        context.Response.Clear();
        SetHeaders(context, route);
        context.Response.Headers.RetryAfter = retryAfter;
        await PlainText.AnswerAsync(context, status, message + "\n");
    }

    private void SetHeaders(HttpContext context, HttpRoute? route)
    {
        route?.SetHeaders?.Invoke(context.Response.Headers);
        AllowOrigin(context);
    }

    private void AllowOrigin(HttpContext context)
    {
        var origin = context.Request.Headers.Origin;
        if (origin.Count == 0 || options.CorsOrigin.Length == 0 || (options.CorsOrigin != "*" && origin[0] != options.CorsOrigin))
        {
            return;
        }

        var headers = context.Response.Headers;
        headers.AccessControlAllowHeaders = "Accept, Authorization, Content-Type, Origin";
        headers.AccessControlAllowMethods = "GET, POST, OPTIONS";
        headers.AccessControlExposeHeaders = "Date";
        headers.AccessControlAllowOrigin = options.CorsOrigin == "*" ? "*" : origin;
        headers.Vary = "Origin";
    }
}
