namespace Metrics.Gateway.Rules;

/// <summary>What the rules tell an operator.</summary>
internal sealed partial class RulesHost
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant}, group {Group}, rule {Rule}: evaluation failed: {Error}")]
    private partial void LogRuleFailed(string tenant, string group, string rule, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant}, group {Group}, rule {Rule}: template failed: {Error}")]
    private partial void LogTemplateFailed(string tenant, string group, string rule, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant}, group {Group}: {What} failed")]
    private partial void LogUpkeepFailed(string tenant, string group, string what, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant}, group {Group}, query {Query}: {Warning}")]
    private partial void LogWarned(string tenant, string group, string query, string warning);

    [LoggerMessage(Level = LogLevel.Debug, Message = "tenant {Tenant}, group {Group}: evaluated at {Tick}")]
    private partial void LogEvaluated(string tenant, string group, long tick);

    [LoggerMessage(Level = LogLevel.Information, Message = "rules are shared out anew between {Count} silos; this one is \"{Self}\"")]
    private partial void LogShares(string self, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "rules of tenant {Tenant} were changed, and {Other} finds that out later: {Reason}")]
    private partial void LogNotTold(string tenant, string other, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "rules of tenant {Tenant} could not be loaded; the ones before stay in force: {Reason}")]
    private partial void LogLoadFailed(string tenant, string reason);
}
