using System.Collections.Concurrent;
using System.Security.Cryptography;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Rules;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;

namespace Metrics.Gateway.Rules;

/// <summary>The rules of all tenants in this process: those in files for the default tenant, and those set through the API for any.</summary>
internal sealed partial class RulesHost : IAsyncDisposable
{
    private static readonly TimeSpan followEvery = TimeSpan.FromSeconds(30);

    private readonly RulesOptions options;
    private readonly ICluster cluster;
    private readonly RuleQueries queries;
    private readonly EngineOptions engine;
    private readonly TimeProvider time;
    private readonly TenantId defaultTenant;
    private readonly string owner;
    private readonly ILogger<RulesHost> logger;
    private volatile NotifierOptions notifying;
    private readonly ConcurrentDictionary<TenantId, Owned> owned = new();
    private readonly SemaphoreSlim loading = new(1, 1);
    private readonly CancellationTokenSource stopping = new();
    private volatile IReadOnlyDictionary<TenantId, TenantRuleSettings> overrides;
    private Task starting = Task.CompletedTask;
    private int disposed;

    /// <summary>Prepares; nothing is read or evaluated before <see cref="Start"/>.</summary>
    /// <exception cref="ConfigurationException">Alertmanagers, labels or rule files are not what they must be.</exception>
    public RulesHost(GatewayOptions gateway, ICluster cluster, EngineOptions engine, RuleQueries queries, TimeProvider time, ILogger<RulesHost> logger)
    {
        options = gateway.Rules;
        this.cluster = cluster;
        this.queries = queries;
        this.engine = engine with { DefaultSubqueryStepMs = (long)options.EvaluationInterval.TotalMilliseconds };
        this.time = time;
        this.logger = logger;
        defaultTenant = TenantId.Parse(gateway.Tenancy.DefaultTenant);

        // The same after a restart, and nobody else's: the data folder is locked.
        owner = $"{Environment.MachineName}:{Path.GetFullPath(gateway.Storage.DataDir)}";
        RuleSettings.Check(options);
        overrides = TenantRuleSettings.Read(options.OverridesFile, RuleSettings.LabelsOf(options));
        ReadFiles();
        notifying = RuleSettings.NotifierOf(options);
    }

    /// <summary>The object store in which groups set through the API lie, or null when there is none.</summary>
    public IObjectStore? Objects => cluster.Objects;

    /// <summary>The tenants that have rules, with their groups.</summary>
    public IEnumerable<(TenantId Tenant, IReadOnlyList<RuleGroup> Groups)> All => owned.Select(static o => (o.Key, o.Value.Rules.Groups));

    /// <summary>The tenants that have rules, with their Alertmanagers and what was sent to each.</summary>
    public IEnumerable<(TenantId Tenant, IReadOnlyList<(Uri Url, int QueueLength, AlertmanagerCounters Counters, string? LastError)> Alertmanagers)> Notified =>
        owned.Select(static o => (o.Key, o.Value.Notifier.Alertmanagers));

    /// <summary>The groups of a tenant, ascending by file and name.</summary>
    public IReadOnlyList<RuleGroup> GroupsOf(TenantId tenant) => owned.TryGetValue(tenant, out var rules) ? rules.Rules.Groups : [];

    /// <summary>The Alertmanagers of a tenant.</summary>
    public IReadOnlyList<Uri> AlertmanagersOf(TenantId tenant) =>
        owned.TryGetValue(tenant, out var rules) ? [.. rules.Notifier.Alertmanagers.Select(static a => a.Url)] : [];

    /// <summary>Why a tenant can't have a group evaluated, or null when it can.</summary>
    public string? Refusal(RuleGroupSpec group, TenantId tenant) => RuleSettings.Refusal(group, tenant, options.Federation, SettingsOf(tenant));

    /// <summary>Loads and starts all rules once the cluster is ready, in the background.</summary>
    public void Start() => starting = StartAsync();

    /// <summary>Reads the files again: rules, overrides, Alertmanagers. What is wrong with them leaves everything in force as it is.</summary>
    /// <exception cref="ConfigurationException">What is wrong.</exception>
    public async Task ReloadAsync(CancellationToken cancellation)
    {
        var before = overrides;
        try
        {
            overrides = TenantRuleSettings.Read(options.OverridesFile, RuleSettings.LabelsOf(options));
            var everybodys = RuleSettings.NotifierOf(options);
            await LoadAsync(defaultTenant, cancellation);
            notifying = everybodys;
        }
        catch
        {
            overrides = before;
            throw;
        }

        await Task.WhenAll(owned.Select(o => TurnAsync(o.Key, o.Value.Notifier)));
    }

    /// <summary>Takes a tenant's groups anew from files and storage.</summary>
    /// <exception cref="ConfigurationException">A file is not in order.</exception>
    /// <exception cref="ObjectStoreException">Storage failed.</exception>
    public async Task LoadAsync(TenantId tenant, CancellationToken cancellation)
    {
        await loading.WaitAsync(cancellation);
        try
        {
            var groups = new List<PlacedGroup>();
            if (tenant == defaultTenant)
            {
                groups.AddRange(ReadFiles());
            }

            if (Objects is { } store)
            {
                foreach (var (name, file) in await new RuleObjects(store, tenant).NamespacesAsync(cancellation))
                {
                    groups.AddRange(file.Groups.Select(g => new PlacedGroup(name, g)));
                }
            }

            if (cluster.EvaluatesRules && (groups.Count > 0 || owned.ContainsKey(tenant)))
            {
                await owned.GetOrAdd(tenant, Own).Rules.LoadAsync(groups, cancellation);
            }
        }
        finally
        {
            loading.Release();
        }
    }

    /// <summary>Stops the rules of a tenant that is to be deleted, and removes the groups set through the API. Groups in files stay.</summary>
    /// <exception cref="ObjectStoreException">Storage failed.</exception>
    public async Task ForgetAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (Objects is { } store)
        {
            await foreach (var item in store.ListAsync($"{tenant}/rules/groups/", cancellation))
            {
                await store.DeleteAsync(item.Key, cancellation);
            }
        }

        if (owned.ContainsKey(tenant))
        {
            await LoadAsync(tenant, cancellation);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await stopping.CancelAsync();
        await starting;
        foreach (var rules in owned.Values)
        {
            await rules.Rules.DisposeAsync();
            await rules.Notifier.DisposeAsync();
        }

        stopping.Dispose();
    }

    private async Task TurnAsync(TenantId tenant, TenantNotifier notifier)
    {
        try
        {
            await notifier.TurnAsync(NotifierOf(tenant));
        }
        catch (Exception e) when (IsUnusable(e))
        {
            LogLoadFailed(tenant.Value, $"its Alertmanagers: {e.Message}");
        }
    }

    /// <summary>True for what a certificate that can't be read or used throws.</summary>
    private static bool IsUnusable(Exception e) => e is IOException or UnauthorizedAccessException or CryptographicException;

    private NotifierOptions NotifierOf(TenantId tenant) => SettingsOf(tenant).Notifier ?? notifying;

    private TenantRuleSettings SettingsOf(TenantId tenant) => overrides.GetValueOrDefault(tenant, TenantRuleSettings.None);

    private IReadOnlyList<PlacedGroup> ReadFiles()
    {
        var groups = RuleSettings.ReadFiles(options.Files, engine.Parsing);
        return groups.Select(g => Refusal(g.Spec, defaultTenant)).FirstOrDefault(static u => u is not null) is { } refusal
            ? throw new ConfigurationException($"rules.files: {refusal}")
            : groups;
    }

    private async Task StartAsync()
    {
        try
        {
            while (!cluster.Progress.IsReady || !cluster.EvaluatesRules)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), time, stopping.Token);
            }

            await LoadAllAsync();

            // In a cluster others take changes through their API, and leave them in the object store.
            while (cluster.Control is not null)
            {
                await Task.Delay(followEvery, time, stopping.Token);
                await LoadAllAsync();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process ends before it was ready.
        }
    }

    private async Task LoadAllAsync()
    {
        try
        {
            var tenants = new HashSet<TenantId>(owned.Keys) { defaultTenant };
            if (Objects is { } store)
            {
                await foreach (var tenant in RuleObjects.TenantsAsync(store, stopping.Token))
                {
                    tenants.Add(tenant);
                }
            }

            foreach (var tenant in tenants)
            {
                await TryLoadAsync(tenant);
            }
        }
        catch (ObjectStoreException e)
        {
            LogLoadFailed("(all)", e.Message);
        }
    }

    private async Task TryLoadAsync(TenantId tenant)
    {
        try
        {
            await LoadAsync(tenant, stopping.Token);
        }
        catch (Exception e) when (e is ConfigurationException or ObjectStoreException or InvalidDataException)
        {
            LogLoadFailed(tenant.Value, e.Message);
        }
    }

    private Owned Own(TenantId tenant)
    {
        var observer = new Observer(this, tenant.Value);
        TenantNotifier notifier;
        try
        {
            notifier = new TenantNotifier(NotifierOf(tenant), time, observer);
        }
        catch (Exception e) when (IsUnusable(e))
        {
            throw new ConfigurationException($"the Alertmanagers of tenant {tenant}: {e.Message}");
        }

        var query = new TenantRuleQuery(new QueryEngine(engine), queries, cluster, tenant, group => Refusal(group, tenant));
        var services = new RuleServices(query, new TenantRuleAppender(cluster, tenant), notifier, time, RuleSettings.OptionsOf(options), observer);
        return new Owned(new TenantRules(services, Objects is { } store ? new RuleObjects(store, tenant) : null, owner), notifier);
    }

    private sealed record Owned(TenantRules Rules, TenantNotifier Notifier);

    private sealed class Observer(RulesHost host, string tenant) : IRuleObserver
    {
        public void OnRuleFailed(string group, string rule, string error) => host.LogRuleFailed(tenant, group, rule, error);

        public void OnTemplateFailed(string group, string rule, string error) => host.LogTemplateFailed(tenant, group, rule, error);

        public void OnWarned(string group, string query, IReadOnlyList<string> warnings) => host.LogWarned(tenant, group, query, warnings[0]);

        public void OnUpkeepFailed(string group, string what, Exception error) => host.LogUpkeepFailed(tenant, group, what, error);
    }
}
