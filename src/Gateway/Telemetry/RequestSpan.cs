using System.Diagnostics;
using Metrics.Model;

namespace Metrics.Gateway.Telemetry;

/// <summary>What the span of an HTTP request says; nothing is done when there is none.</summary>
/// <remarks>Names of attributes are OpenTelemetry's for HTTP servers.</remarks>
internal static class RequestSpan
{
    /// <summary>Names the span after the route.</summary>
    public static void OnRouted(HttpContext context, string route)
    {
        if (Activity.Current is { IsAllDataRequested: true } span)
        {
            span.DisplayName = $"{context.Request.Method} {route}";
            span.SetTag("http.request.method", context.Request.Method);
            span.SetTag("http.route", route);
        }
    }

    /// <summary>Says whose data the request is about. Log lines in JSON carry it too.</summary>
    public static void OnTenant(TenantId tenant) => Activity.Current?.SetTag("tenant", tenant.Value);

    /// <summary>Says how the request was answered.</summary>
    public static void OnAnswered(int status)
    {
        if (Activity.Current is { IsAllDataRequested: true } span)
        {
            span.SetTag("http.response.status_code", status);
            if (status >= 500)
            {
                span.SetStatus(ActivityStatusCode.Error);
            }
        }
    }
}
