using System.Text.Encodings.Web;
using System.Text.Json;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;

namespace Metrics.Gateway.Rules;

/// <summary><c>rules</c>, <c>alerts</c> and <c>alertmanagers</c>, of the whole cluster. Parameters, their order of checking and the messages are Prometheus's (web/api/v1/api.go).</summary>
internal sealed class RuleEndpoints(ApiEndpoint endpoint, RulesHost rules)
{
    private static readonly JsonWriterOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly RuleBoard board = new(rules);

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, "/api/v1/rules", "rules", endpoint.Of(RulesAsync, needsData: false)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/alerts", "alerts", endpoint.Of(AlertsAsync, needsData: false)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/alertmanagers", "alertmanagers", endpoint.Of(AlertmanagersAsync, needsData: false)) { Access = RouteAccess.Read },
    ];

    private async ValueTask<ApiAnswer> RulesAsync(ApiRequest request)
    {
        var filter = RuleFilter.Read(request.Parameters);
        var (limit, token) = ReadPage(request.Parameters);
        var view = await board.GatherAsync(request.Tenant, filter, request.Aborted);
        var from = token.Length == 0 ? 0 : view.Groups.FindIndex(g => g.Token == token);
        if (from < 0)
        {
            throw ApiException.InvalidParameter("group_next_token", $"invalid group_next_token '{token}'. were rule groups changed?");
        }

        var to = limit > 0 ? (int)Math.Min((long)from + limit, view.Groups.Count) : view.Groups.Count;
        return Json(view, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("groups");
            for (var i = from; i < to; i++)
            {
                view.Groups[i].Write(json);
            }

            json.WriteEndArray();
            if (to < view.Groups.Count)
            {
                json.WriteString("groupNextToken", view.Groups[to].Token);
            }

            json.WriteEndObject();
        });
    }

    private async ValueTask<ApiAnswer> AlertsAsync(ApiRequest request)
    {
        var view = await board.GatherAsync(request.Tenant, RuleFilter.Alerting, request.Aborted);
        return Json(view, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("alerts");
            foreach (var group in view.Groups)
            {
                group.WriteAlerts(json);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async ValueTask<ApiAnswer> AlertmanagersAsync(ApiRequest request)
    {
        var view = await board.GatherAsync(request.Tenant, RuleFilter.Nothing, request.Aborted);
        return Json(view, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("activeAlertmanagers");
            foreach (var url in view.Alertmanagers)
            {
                json.WriteStartObject();
                json.WriteString("url", url);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("droppedAlertmanagers");
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private static ApiAnswer Json(RuleView view, Action<Utf8JsonWriter> write) => new((to, _) =>
    {
        using var json = new Utf8JsonWriter(to, plain);
        write(json);
        return ValueTask.CompletedTask;
    })
    { Warnings = view.Warnings };

    private static (int Limit, string Token) ReadPage(RequestParameters parameters)
    {
        var (text, token) = (parameters["group_limit"], parameters["group_next_token"]);
        if (text.Length == 0)
        {
            return token.Length == 0 ? (0, "")
                : throw ApiException.InvalidParameter("group_next_token", "group_limit needs to be present in order to paginate over the groups");
        }

        if (!int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out var limit))
        {
            throw ApiException.InvalidParameter("group_limit", $"group_limit needs to be a valid number: strconv.ParseInt: parsing {LabelsText.Quote(text)}: invalid syntax");
        }

        return limit > 0 ? (limit, token) : throw ApiException.InvalidParameter("group_limit", "group_limit needs to be greater than 0");
    }
}
