using Metrics.Gateway.Configuration;
using Metrics.Gateway.Telemetry;

namespace Metrics.Gateway.Server;

/// <summary>What every request passes: the route, CORS, the count and the time, and the last line against exceptions.</summary>
internal sealed partial class RequestPipeline(RouteTable routes, HttpOptions options, GatewayInstruments instruments, TimeProvider time, ILogger<RequestPipeline> logger)
{
    /// <summary>The item under which the variable segment of the path is kept.</summary>
    public static readonly object PathSegment = new();

    /// <summary>Answers a request.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        var started = time.GetTimestamp();
        var route = routes.Find(context.Request.Path.Value ?? "/", out var segment);
        if (segment.Length > 0)
        {
            context.Items[PathSegment] = segment;
        }

        AllowOrigin(context);
        RequestSpan.OnRouted(context, route?.Path ?? "none");
        try
        {
            await AnswerAsync(context, route);
        }
        catch (BadHttpRequestException e)
        {
            await RefuseAsync(context, e.StatusCode, e.Message);
        }
        catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
        {
            LogClientGone(context.Request.Path);
            context.Response.StatusCode = context.Response.HasStarted ? context.Response.StatusCode : 499;
        }
        catch (Exception e)
        {
            LogUnexpected(context.Request.Path, e);
            await RefuseAsync(context, StatusCodes.Status500InternalServerError, "internal error; the log has it");
        }

        RequestSpan.OnAnswered(context.Response.StatusCode);
        instruments.OnAnswered(route?.Handler ?? "none", context.Response.StatusCode, time.GetElapsedTime(started));
    }

    private static Task AnswerAsync(HttpContext context, HttpRoute? route)
    {
        var method = context.Request.Method;
        if (route is null)
        {
            return HttpMethods.IsOptions(method) && context.Request.Path.StartsWithSegments("/api/v1")
                ? NoContent(context)
                : PlainText.AnswerAsync(context, StatusCodes.Status404NotFound, "404 page not found\n");
        }

        if (Array.IndexOf(route.Methods, method) >= 0)
        {
            return route.AnswerAsync(context);
        }

        if (HttpMethods.IsOptions(method))
        {
            return NoContent(context);
        }

        context.Response.Headers.Allow = string.Join(", ", route.Methods) + ", OPTIONS";
        return PlainText.AnswerAsync(context, StatusCodes.Status405MethodNotAllowed, "Method Not Allowed\n");
    }

    private static Task NoContent(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static async Task RefuseAsync(HttpContext context, int status, string message)
    {
        if (context.Response.HasStarted)
        {
            // Half an answer is out; only a broken connection can tell that the rest will not come.
            context.Abort();
            return;
        }

        context.Response.Clear();
        await PlainText.AnswerAsync(context, status, message + "\n");
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
