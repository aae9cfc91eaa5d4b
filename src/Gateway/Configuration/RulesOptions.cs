namespace Metrics.Gateway.Configuration;

/// <summary>Which rules are evaluated, and where their alerts go. Defaults are Prometheus's.</summary>
public sealed class RulesOptions
{
    /// <summary>Rule files of the default tenant; the last part of a path may have <c>*</c> and <c>?</c>. Read again when one changes, comes or goes (<c>http.watch_every</c>), and on <c>POST /-/reload</c>.</summary>
    [Setting("Rule files of the default tenant; the last part of a path may hold * and ?.")]
    public IReadOnlyList<string> Files { get; set; } = [];

    /// <summary>The interval of groups that name none (<c>global.evaluation_interval</c>).</summary>
    [Setting("Interval of groups that name none.", Min = "1s", Max = "1d")]
    public TimeSpan EvaluationInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How far before the tick rules look when their group does not say (<c>global.rule_query_offset</c>).</summary>
    [Setting("How far before the tick rules look, for groups that do not say.", Min = "0", Max = "1d")]
    public TimeSpan QueryOffset { get; set; } = TimeSpan.Zero;

    /// <summary>Rules evaluated beside others, per tenant (<c>rules.max-concurrent-evals</c>).</summary>
    [Setting("Rules of a tenant evaluated side by side.", Min = "1", Max = "1000")]
    public int MaxConcurrentEvals { get; set; } = 4;

    /// <summary>Alertmanagers as URLs; every one gets every alert. Before the scheme, <c>dns+</c> and <c>dnssrv+</c> look the name up, as in Thanos and Mimir.</summary>
    [Setting("Alertmanagers, as URLs such as http://localhost:9093, dns+http://am:9093 or dnssrv+http://_http._tcp.am; every one gets every alert.")]
    public IReadOnlyList<string> Alertmanagers { get; set; } = [];

    /// <summary>A YAML file with what Prometheus has under <c>alerting</c>: discovery, authentication, relabelling.</summary>
    [Setting("YAML file with what Prometheus's configuration has under alerting.")]
    public string AlertingConfig { get; set; } = "";

    /// <summary>The URL under which users reach the server; in templates and as the source of alerts.</summary>
    [Setting("URL under which users reach the server, for templates and the source of alerts.")]
    public string ExternalUrl { get; set; } = "";

    /// <summary>Labels for alerts that lack them, and for templates, as <c>name=value</c>.</summary>
    [Setting("Labels for alerts that lack them, as name=value.")]
    public IReadOnlyList<string> ExternalLabels { get; set; } = [];

    /// <summary>The least time between two notifications of one alert (<c>rules.alert.resend-delay</c>).</summary>
    [Setting("The least time between two notifications of one alert.", Min = "1s", Max = "1d")]
    public TimeSpan ResendDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest outage after which pending alerts are restored (<c>rules.alert.for-outage-tolerance</c>).</summary>
    [Setting("The longest outage after which pending alerts are restored.", Min = "0", Max = "30d")]
    public TimeSpan ForOutageTolerance { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The least time that a restored alert stays pending (<c>rules.alert.for-grace-period</c>).</summary>
    [Setting("The least time that a restored alert stays pending.", Min = "0", Max = "1d")]
    public TimeSpan ForGracePeriod { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Lets groups read other tenants (Mimir's <c>source_tenants</c>); each tenant only those that <see cref="OverridesFile"/> gives it.</summary>
    [Setting("Evaluate groups with source_tenants, for tenants whose source_tenants in the overrides file allow it.")]
    public bool Federation { get; set; }

    /// <summary>A file with what the rules of single tenants have otherwise: <c>overrides: {TENANT: {source_tenants: [...], alerting: {...}}}</c>. Read again when it changes, and on <c>POST /-/reload</c>.</summary>
    [Setting("File with what the rules of single tenants have otherwise: Alertmanagers, and tenants they may read.")]
    public string OverridesFile { get; set; } = "";
}
