using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Model;
using Metrics.Rules.Alerting;
using Metrics.Rules.Groups;

namespace Metrics.Gateway.Rules;

/// <summary><c>rules</c>, <c>alerts</c> and <c>alertmanagers</c>. Parameters, their order of checking and the messages are Prometheus's (web/api/v1/api.go).</summary>
internal sealed class RuleEndpoints(ApiEndpoint endpoint, RulesHost rules)
{
    private static readonly JsonWriterOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        new(HttpRoute.Get, "/api/v1/rules", "rules", endpoint.Of(RulesAsync, needsData: false)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/alerts", "alerts", endpoint.Of(AlertsAsync, needsData: false)) { Access = RouteAccess.Read },
        new(HttpRoute.Get, "/api/v1/alertmanagers", "alertmanagers", endpoint.Of(AlertmanagersAsync, needsData: false)) { Access = RouteAccess.Read },
    ];

    private ValueTask<ApiAnswer> RulesAsync(ApiRequest request)
    {
        var page = RulePage.Read(request);
        var shown = new List<(RuleGroup Group, List<Rule> Rules)>();
        string? next = null;
        var isFound = page.Token.Length == 0;
        foreach (var group in rules.GroupsOf(request.Tenant))
        {
            isFound = isFound || page.Token == TokenOf(group);
            var selected = isFound ? page.Select(group) : [];
            if (selected.Count > 0)
            {
                if (page.Limit > 0 && shown.Count == page.Limit)
                {
                    next = TokenOf(group);
                    break;
                }

                shown.Add((group, selected));
            }
        }

        if (!isFound)
        {
            throw ApiException.InvalidParameter("group_next_token", $"invalid group_next_token '{page.Token}'. were rule groups changed?");
        }

        return Json(json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("groups");
            foreach (var (group, selected) in shown)
            {
                RulesJson.Write(json, group, selected, page.WithAlerts);
            }

            json.WriteEndArray();
            if (next is not null)
            {
                json.WriteString("groupNextToken", next);
            }

            json.WriteEndObject();
        });
    }

    private ValueTask<ApiAnswer> AlertsAsync(ApiRequest request)
    {
        var alerts = rules.GroupsOf(request.Tenant).SelectMany(static g => g.Rules).OfType<AlertingRule>().SelectMany(static r => r.ActiveAlerts);
        return Json(json =>
        {
            json.WriteStartObject();
            json.WritePropertyName("alerts");
            RulesJson.Write(json, alerts);
            json.WriteEndObject();
        });
    }

    private ValueTask<ApiAnswer> AlertmanagersAsync(ApiRequest request) => Json(json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("activeAlertmanagers");
        foreach (var url in rules.AlertmanagersOf(request.Tenant))
        {
            json.WriteStartObject();
            json.WriteString("url", url.ToString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("droppedAlertmanagers");
        json.WriteEndArray();
        json.WriteEndObject();
    });

    private static ValueTask<ApiAnswer> Json(Action<Utf8JsonWriter> write) => new(ApiAnswer.Small((PipeWriter to) =>
    {
        using var json = new Utf8JsonWriter(to, plain);
        write(json);
    }));

    private static string TokenOf(RuleGroup group) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(group.Key)));

    /// <summary>Which groups and rules a request asks for.</summary>
    private sealed class RulePage
    {
        private readonly HashSet<string> ruleNames;
        private readonly HashSet<string> groupNames;
        private readonly HashSet<string> files;
        private readonly IReadOnlyList<IReadOnlyList<Matcher>> selectors;
        private readonly string type;

        private RulePage(ApiRequest request)
        {
            var parameters = request.Parameters;
            ruleNames = parameters.All("rule_name[]").ToHashSet(StringComparer.Ordinal);
            groupNames = parameters.All("rule_group[]").ToHashSet(StringComparer.Ordinal);
            files = parameters.All("file[]").ToHashSet(StringComparer.Ordinal);
            selectors = LabelEndpoints.Selectors(request);
            type = parameters["type"].ToLowerInvariant();
            if (type is not ("" or "alert" or "record"))
            {
                throw ApiException.InvalidParameter("type", $"not supported value {LabelsText.Quote(type)}");
            }

            var exclude = parameters["exclude_alerts"].ToLowerInvariant();
            WithAlerts = exclude switch
            {
                "" or "0" or "f" or "false" => true,
                "1" or "t" or "true" => false,
                _ => throw ApiException.InvalidParameter("exclude_alerts", $"error converting exclude_alerts: strconv.ParseBool: parsing {LabelsText.Quote(exclude)}: invalid syntax"),
            };
            Token = parameters["group_next_token"];
            Limit = ReadLimit(parameters["group_limit"]);
        }

        /// <summary>The most groups; 0 for all.</summary>
        public int Limit { get; }

        /// <summary>The group to begin with, as a token; empty for the first.</summary>
        public string Token { get; }

        /// <summary>True when alerts are shown with their rules.</summary>
        public bool WithAlerts { get; }

        public static RulePage Read(ApiRequest request) => new(request);

        public List<Rule> Select(RuleGroup group)
        {
            if ((groupNames.Count > 0 && !groupNames.Contains(group.Name)) || (files.Count > 0 && !files.Contains(group.File)))
            {
                return [];
            }

            return [.. group.Rules.Where(r => (ruleNames.Count == 0 || ruleNames.Contains(r.Name))
                && (type.Length == 0 || type == "alert" == r is AlertingRule)
                && (selectors.Count == 0 || selectors.Any(s => Matcher.AllMatch(s, r.Labels))))];
        }

        private int ReadLimit(string text)
        {
            if (text.Length == 0)
            {
                return Token.Length == 0 ? 0
                    : throw ApiException.InvalidParameter("group_next_token", "group_limit needs to be present in order to paginate over the groups");
            }

            if (!int.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out var limit))
            {
                throw ApiException.InvalidParameter("group_limit", $"group_limit needs to be a valid number: strconv.ParseInt: parsing {LabelsText.Quote(text)}: invalid syntax");
            }

            return limit > 0 ? limit : throw ApiException.InvalidParameter("group_limit", "group_limit needs to be greater than 0");
        }
    }
}
