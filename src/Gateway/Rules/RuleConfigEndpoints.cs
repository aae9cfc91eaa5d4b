using System.Text;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Tenancy;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;

namespace Metrics.Gateway.Rules;

/// <summary>Mimir's API for a tenant's rule groups, which lie in object storage: namespaces with groups, as YAML.</summary>
/// <remarks>https://grafana.com/docs/mimir/latest/references/http-api/#ruler; also under Cortex's <c>/api/v1/rules/...</c>.</remarks>
internal sealed class RuleConfigEndpoints(TenantResolver tenants, RulesHost rules, LimitsTable limits, ParseOptions parsing)
{
    private const int MaxBodyBytes = 1 << 20;
    private const string Yaml = "application/yaml";
    private static readonly string[] methods = ["GET", "POST", "DELETE"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes =>
    [
        .. from path in new[] { "/prometheus/config/v1/rules", "/config/v1/rules" } select new HttpRoute(HttpRoute.Get, path, "rule_config", AnswerAsync) { Access = RouteAccess.ReadOrWrite },
        .. from path in new[] { "/prometheus/config/v1/rules", "/config/v1/rules", "/api/v1/rules" } select new HttpRoute(methods, path + "/{*rest}", "rule_config", AnswerAsync) { Access = RouteAccess.ReadOrWrite },
        new HttpRoute(HttpRoute.Get, "/ruler/rule_groups", "rule_groups", context => AnswerAsync(context, store => ListAllAsync(context, store))),
        new HttpRoute(HttpRoute.Post, "/ruler/delete_tenant_config", "delete_rules", context => AnswerAsync(context, _ => ForgetAsync(context))),
    ];

    private async Task AnswerAsync(HttpContext context)
    {
        if (tenants.TryResolve(context, out var tenant, out var status, out var error))
        {
            await AnswerAsync(context, store => AnswerAsync(context, tenant, new RuleObjects(store, tenant)));
        }
        else
        {
            await PlainText.AnswerAsync(context, status, error + "\n");
        }
    }

    private async Task AnswerAsync(HttpContext context, Func<IObjectStore, Task> answer)
    {
        if (rules.Objects is not { } store)
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status404NotFound, "rules can't be set through the API: there is no object storage\n");
            return;
        }

        try
        {
            await answer(store);
        }
        catch (Refusal e)
        {
            await PlainText.AnswerAsync(context, e.Status, e.Message + "\n");
        }
        catch (Exception e) when (e is ObjectStoreException or InvalidDataException or ConfigurationException)
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status500InternalServerError, e.Message + "\n");
        }
    }

    private async Task AnswerAsync(HttpContext context, TenantId tenant, RuleObjects objects)
    {
        // A slash in a name comes as %2F, which the server leaves as it is.
        var parts = context.Items.TryGetValue(RequestPipeline.PathSegment, out var rest)
            ? ((string)rest!).TrimEnd('/').Split('/').Select(p => p.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase)).ToArray()
            : [];
        switch (context.Request.Method, parts)
        {
            case ("GET", []): await ListAsync(context, objects, null); break;
            case ("GET", [var name]): await ListAsync(context, objects, name); break;
            case ("GET", [var name, var group]): await GetAsync(context, objects, name, group); break;
            case ("POST", [var name]):
                await SetAsync(context, tenant, objects, name);
                await AcceptAsync(context, tenant);
                break;
            case ("DELETE", [var name]):
                await RemoveAsync(objects, name, null, context.RequestAborted);
                await AcceptAsync(context, tenant);
                break;
            case ("DELETE", [var name, var group]):
                await RemoveAsync(objects, name, group, context.RequestAborted);
                await AcceptAsync(context, tenant);
                break;
            default: throw new Refusal(StatusCodes.Status404NotFound, "404 page not found");
        }
    }

    /// <summary>The groups that any tenant set.</summary>
    private static async Task ListAllAsync(HttpContext context, IObjectStore store)
    {
        var found = new SortedDictionary<string, IEnumerable<KeyValuePair<string, RuleFile>>>(StringComparer.Ordinal);
        await foreach (var tenant in RuleObjects.TenantsAsync(store, context.RequestAborted))
        {
            found[tenant.Value] = await new RuleObjects(store, tenant).NamespacesAsync(context.RequestAborted);
        }

        await AnswerYamlAsync(context, RuleFileWriter.Write(found));
    }

    /// <summary>Removes all groups that a tenant set. Who forgot the header would remove the default tenant's.</summary>
    private async Task ForgetAsync(HttpContext context)
    {
        if (!tenants.TryResolve(context, out var tenant, out var status, out var error) || !tenants.IsNamed(context))
        {
            throw new Refusal(error is { Length: > 0 } ? status : StatusCodes.Status400BadRequest, error is { Length: > 0 } ? error : "the request names no tenant: say which in X-Scope-OrgID");
        }

        await rules.ForgetAsync(tenant, context.RequestAborted);
    }

    private static async Task ListAsync(HttpContext context, RuleObjects objects, string? name)
    {
        var namespaces = (await objects.NamespacesAsync(context.RequestAborted)).Where(n => name is null || n.Key == name).ToList();
        await AnswerYamlAsync(context, namespaces.Count > 0 ? RuleFileWriter.Write(namespaces) : throw new Refusal(StatusCodes.Status404NotFound, "no rule groups found"));
    }

    private static async Task GetAsync(HttpContext context, RuleObjects objects, string name, string group)
    {
        var found = (await objects.NamespacesAsync(context.RequestAborted)).GetValueOrDefault(name)?.Groups.FirstOrDefault(g => g.Name == group)
            ?? throw new Refusal(StatusCodes.Status404NotFound, "group does not exist");
        await AnswerYamlAsync(context, RuleFileWriter.Write(found));
    }

    private async Task SetAsync(HttpContext context, TenantId tenant, RuleObjects objects, string name)
    {
        var result = RuleFileReader.ReadGroup(await BodyAsync(context), parsing);
        if (result.File?.Groups is not [var group])
        {
            throw new Refusal(StatusCodes.Status400BadRequest, result.Errors.Count > 0 ? string.Join("\n", result.Errors) : "no rule group in the body");
        }

        if (rules.Refusal(group, tenant) is { } refusal)
        {
            throw new Refusal(StatusCodes.Status400BadRequest, refusal);
        }

        var own = limits.Of(tenant);
        if (own.RulerMaxRulesPerRuleGroup > 0 && group.Rules.Count > own.RulerMaxRulesPerRuleGroup)
        {
            throw new Refusal(
                StatusCodes.Status400BadRequest,
                $"per-user rules per rule group limit (ruler_max_rules_per_rule_group: {own.RulerMaxRulesPerRuleGroup}, actual: {group.Rules.Count}) exceeded by tenant {tenant}");
        }

        var elsewhere = await CountAsync(objects, name, context.RequestAborted);
        var isNew = false;
        await objects.ChangeAsync(
            name,
            groups =>
            {
                isNew = groups.All(g => g.Name != group.Name);
                CheckGroups(own, isNew ? elsewhere + groups.Count + 1 : 0, tenant);
                return Replaced(groups, group);
            },
            context.RequestAborted);
        if (!isNew)
        {
            return;
        }

        // A namespace changes at once, all of them together don't: of groups that came into others meanwhile, those that find the tenant over its limit go again.
        try
        {
            CheckGroups(own, await CountAsync(objects, null, context.RequestAborted), tenant);
        }
        catch (Refusal)
        {
            await objects.ChangeAsync(name, groups => [.. groups.Where(g => g.Name != group.Name)], CancellationToken.None);
            throw;
        }
    }

    private static void CheckGroups(TenantLimits own, int count, TenantId tenant)
    {
        if (own.RulerMaxRuleGroupsPerTenant > 0 && count > own.RulerMaxRuleGroupsPerTenant)
        {
            throw new Refusal(StatusCodes.Status400BadRequest, $"per-user rule groups limit (ruler_max_rule_groups_per_tenant: {own.RulerMaxRuleGroupsPerTenant}, actual: {count}) exceeded by tenant {tenant}");
        }
    }

    /// <summary>The tenant's groups in all namespaces but one.</summary>
    private static async Task<int> CountAsync(RuleObjects objects, string? except, CancellationToken cancellation) =>
        (await objects.NamespacesAsync(cancellation)).Sum(n => n.Key == except ? 0 : n.Value.Groups.Count);

    private static List<RuleGroupSpec> Replaced(IReadOnlyList<RuleGroupSpec> groups, RuleGroupSpec group)
    {
        var next = groups.ToList();
        var at = next.FindIndex(g => g.Name == group.Name);
        if (at < 0)
        {
            next.Add(group);
        }
        else
        {
            next[at] = group;
        }

        return next;
    }

    private static ValueTask RemoveAsync(RuleObjects objects, string name, string? group, CancellationToken cancellation) => objects.ChangeAsync(
        name,
        groups => groups.Any(g => group is null || g.Name == group)
            ? [.. groups.Where(g => group is not null && g.Name != group)]
            : throw new Refusal(StatusCodes.Status404NotFound, group is null ? "no rule groups found" : "group does not exist"),
        cancellation);

    private async Task AcceptAsync(HttpContext context, TenantId tenant)
    {
        await rules.SpreadAsync(tenant, context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync("""{"status":"success","data":null,"errorType":"","error":""}"""u8.ToArray(), context.RequestAborted);
    }

    private static async Task<string> BodyAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            if (body.Length + read > MaxBodyBytes)
            {
                throw new Refusal(StatusCodes.Status413PayloadTooLarge, $"a rule group may have {MaxBodyBytes} bytes");
            }

            body.Write(buffer, 0, read);
        }

        return Encoding.UTF8.GetString(body.GetBuffer(), 0, (int)body.Length);
    }

    private static Task AnswerYamlAsync(HttpContext context, string text)
    {
        context.Response.ContentType = Yaml;
        return context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), context.RequestAborted).AsTask();
    }

    /// <summary>A request that is not carried out.</summary>
    private sealed class Refusal(int status, string message) : Exception(message)
    {
        public int Status { get; } = status;
    }
}
