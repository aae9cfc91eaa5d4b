using System.Collections.Concurrent;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.QueryApi;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Rules;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;
using Metrics.Rules.Notifying;

namespace Metrics.Gateway.Rules;

/// <summary>The rules of all tenants in this process: those in files for the default tenant, and those set through the API for any. In a cluster each process evaluates its share of the groups.</summary>
internal sealed partial class RulesHost : IAsyncDisposable, IRulePeer
{
    /// <summary>How often changes that others took through their API are looked for; they say so too, but may not be heard.</summary>
    private static readonly TimeSpan followEvery = TimeSpan.FromSeconds(30);

    /// <summary>How often it is looked whether shares have changed: this is added to the time that membership takes.</summary>
    private static readonly TimeSpan shareEvery = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan readyEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>Tenants that are read or shared out side by side: each waits for storage.</summary>
    private const int TenantsAtOnce = 16;

    private readonly RulesOptions options;
    private readonly ICluster cluster;
    private readonly RuleQueries queries;
    private readonly EngineOptions engine;
    private readonly TimeProvider time;
    private readonly TenantId defaultTenant;
    private readonly RuleOwner owner;
    private readonly ILogger<RulesHost> logger;
    private volatile NotifierOptions notifying;
    private readonly ConcurrentDictionary<TenantId, TenantPlace> places = new();
    private readonly ConcurrentDictionary<TenantId, RuleObjects> objects = new();
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

        // Who has the data folder has it locked; a silo without one may share its name with others.
        owner = RuleOwner.Beginning(gateway.Cluster.Role == SiloRole.Gateway ? "" : $"{Environment.MachineName}:{Path.GetFullPath(gateway.Storage.DataDir)}");
        RuleSettings.Check(options);
        overrides = TenantRuleSettings.Read(options.OverridesFile, RuleSettings.LabelsOf(options));
        ReadFiles();
        notifying = RuleSettings.NotifierOf(options);
    }

    /// <summary>The object store in which groups set through the API lie, or null when there is none.</summary>
    public IObjectStore? Objects => cluster.Objects;

    /// <inheritdoc/>
    public string Name => owner.Name;

    /// <summary>The other processes that have rules.</summary>
    public IReadOnlyList<IRulePeer> Others => cluster.Rules?.Others ?? [];

    /// <summary>The tenants that have rules here, with their groups.</summary>
    public IEnumerable<(TenantId Tenant, IReadOnlyList<RuleGroup> Groups)> All => Owners.Select(static o => (o.Tenant, o.Owned.Rules.Groups));

    /// <summary>The tenants that have rules here, with their Alertmanagers and what was sent to each.</summary>
    public IEnumerable<(TenantId Tenant, IReadOnlyList<(Uri Url, int QueueLength, AlertmanagerCounters Counters, string? LastError)> Alertmanagers)> Notified =>
        Owners.Select(static o => (o.Tenant, o.Owned.Notifier.Alertmanagers));

    /// <summary>The groups of a tenant that are evaluated here, ascending by file and name.</summary>
    public IReadOnlyList<RuleGroup> GroupsOf(TenantId tenant) => places.TryGetValue(tenant, out var place) ? place.Groups : [];

    /// <summary>The Alertmanagers of a tenant, when some of its rules are evaluated here.</summary>
    public IReadOnlyList<Uri> AlertmanagersOf(TenantId tenant) =>
        places.TryGetValue(tenant, out var place) && place.Owned is { } owned ? [.. owned.Notifier.Alertmanagers.Select(static a => a.Url)] : [];

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

        await Task.WhenAll(Owners.Select(o => TurnAsync(o.Tenant, o.Owned.Notifier)));
    }

    /// <summary>The files that rules and Alertmanagers come from, certificates included, for the watch.</summary>
    public IReadOnlyList<string> Files =>
    [
        .. RuleSettings.FilesOf(options),
        .. overrides.Values.Select(static o => o.Notifier).Append(notifying).OfType<NotifierOptions>().SelectMany(static n => n.Sets).Select(static s => s.Tls)
            .SelectMany(static t => new[] { t.CaFile, t.CertFile, t.KeyFile }).Where(static f => f.Length > 0).Distinct(StringComparer.Ordinal),
    ];

    /// <summary>Takes a tenant's groups anew from files and storage.</summary>
    /// <exception cref="ConfigurationException">A file is not in order.</exception>
    /// <exception cref="ObjectStoreException">Storage failed.</exception>
    public Task LoadAsync(TenantId tenant, CancellationToken cancellation) =>
        places.GetOrAdd(tenant, t => new TenantPlace(t, () => Own(t))).LoadAsync(() => ReadAsync(tenant, cancellation), SharesNow, cancellation);

    /// <summary>The same, here and at all others: a change is in force when it is done. Who does not hear of it finds it within half a minute.</summary>
    /// <exception cref="ConfigurationException">A file is not in order.</exception>
    /// <exception cref="ObjectStoreException">Storage failed.</exception>
    public Task SpreadAsync(TenantId tenant, CancellationToken cancellation) => Task.WhenAll([LoadAsync(tenant, cancellation), .. Others.Select(o => TellAsync(o, tenant, cancellation))]);

    /// <inheritdoc/>
    ValueTask<ReadOnlyMemory<byte>> IRulePeer.ShowAsync(TenantId tenant, string filter, CancellationToken cancellation) =>
        ValueTask.FromResult(new RuleBoard(this).Local(tenant, RuleFilter.Read(RequestParameters.Of(filter))));

    /// <inheritdoc/>
    async ValueTask IRulePeer.ReloadAsync(TenantId tenant, CancellationToken cancellation) => await LoadAsync(tenant, cancellation);

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

        if (cluster.Rules is not null || GroupsOf(tenant).Count > 0)
        {
            await SpreadAsync(tenant, cancellation);
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
        cluster.Rules?.Serve(null); // Others take over while this one lets go.
        await Task.WhenAll(places.Values.Select(static p => p.DisposeAsync().AsTask()));
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
    private static bool IsUnusable(Exception e) => e is IOException or UnauthorizedAccessException;

    private NotifierOptions NotifierOf(TenantId tenant) => SettingsOf(tenant).Notifier ?? notifying;

    private TenantRuleSettings SettingsOf(TenantId tenant) => overrides.GetValueOrDefault(tenant, TenantRuleSettings.None);

    private IReadOnlyList<PlacedGroup> ReadFiles()
    {
        var groups = RuleSettings.ReadFiles(options.Files, engine.Parsing);
        return groups.Select(g => Refusal(g.Spec, defaultTenant)).FirstOrDefault(static u => u is not null) is { } refusal
            ? throw new ConfigurationException($"rules.files: {refusal}")
            : groups;
    }

    private IEnumerable<(TenantId Tenant, TenantPlace.OwnedRules Owned)> Owners
    {
        get
        {
            foreach (var (tenant, place) in places)
            {
                if (place.Owned is { } owned)
                {
                    yield return (tenant, owned);
                }
            }
        }
    }

    private RuleShares? SharesNow() => cluster.Rules?.Shares;

    private async Task<IReadOnlyList<PlacedGroup>> ReadAsync(TenantId tenant, CancellationToken cancellation)
    {
        var groups = new List<PlacedGroup>();
        if (tenant == defaultTenant)
        {
            groups.AddRange(ReadFiles());
        }

        if (Objects is { } store)
        {
            foreach (var (name, file) in await objects.GetOrAdd(tenant, t => new RuleObjects(store, t)).NamespacesAsync(cancellation))
            {
                groups.AddRange(file.Groups.Select(g => new PlacedGroup(name, g)));
            }
        }

        return groups;
    }

    private async Task TellAsync(IRulePeer other, TenantId tenant, CancellationToken cancellation)
    {
        try
        {
            await other.ReloadAsync(tenant, cancellation);
        }
        catch (IOException e)
        {
            LogNotTold(tenant.Value, other.Name, e.Message);
        }
    }

    private async Task StartAsync()
    {
        try
        {
            while (!cluster.Progress.IsReady)
            {
                await Task.Delay(readyEvery, time, stopping.Token);
            }

            var shares = SharesNow();
            await LoadAllAsync();
            cluster.Rules?.Serve(this); // Others let go of what is for this process from now on.
            if (shares is not null)
            {
                await Task.WhenAll(FollowChangesAsync(), FollowSharesAsync(shares));
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The process ends.
        }
    }

    /// <summary>In a cluster others take changes through their API, and leave them in the object store.</summary>
    private async Task FollowChangesAsync()
    {
        while (true)
        {
            await Task.Delay(followEvery, time, stopping.Token);
            await LoadAllAsync();
        }
    }

    /// <summary>Processes come and go.</summary>
    private async Task FollowSharesAsync(RuleShares applied)
    {
        while (true)
        {
            await Task.Delay(shareEvery, time, stopping.Token);
            if (SharesNow() is { } shares && !shares.Equals(applied))
            {
                LogShares(shares.Self, shares.Evaluators.Count);
                await ForEachAsync(places.Keys, tenant => places[tenant].ShareAsync(SharesNow, stopping.Token));
                applied = shares;
            }
        }
    }

    private async Task LoadAllAsync()
    {
        try
        {
            var tenants = new HashSet<TenantId>(places.Keys) { defaultTenant };
            if (Objects is { } store)
            {
                await foreach (var tenant in RuleObjects.TenantsAsync(store, stopping.Token))
                {
                    tenants.Add(tenant);
                }
            }

            await ForEachAsync(tenants, tenant => LoadAsync(tenant, stopping.Token));
        }
        catch (ObjectStoreException e)
        {
            LogLoadFailed("(all)", e.Message);
        }
    }

    private Task ForEachAsync(IEnumerable<TenantId> tenants, Func<TenantId, Task> act) =>
        Parallel.ForEachAsync(tenants, new ParallelOptions { MaxDegreeOfParallelism = TenantsAtOnce, CancellationToken = stopping.Token }, async (tenant, _) =>
        {
            try
            {
                await act(tenant);
            }
            catch (Exception e) when (e is ConfigurationException or ObjectStoreException or InvalidDataException or ArgumentException)
            {
                LogLoadFailed(tenant.Value, e.Message);
            }
        });

    private TenantPlace.OwnedRules Own(TenantId tenant)
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
        return new TenantPlace.OwnedRules(new TenantRules(services, Objects is { } store ? new RuleObjects(store, tenant) : null, owner), notifier);
    }

    private sealed class Observer(RulesHost host, string tenant) : IRuleObserver
    {
        public void OnEvaluated(string group, long tickMs) => host.LogEvaluated(tenant, group, tickMs);

        public void OnRuleFailed(string group, string rule, string error) => host.LogRuleFailed(tenant, group, rule, error);

        public void OnTemplateFailed(string group, string rule, string error) => host.LogTemplateFailed(tenant, group, rule, error);

        public void OnWarned(string group, string query, IReadOnlyList<string> warnings) => host.LogWarned(tenant, group, query, warnings[0]);

        public void OnUpkeepFailed(string group, string what, Exception error) => host.LogUpkeepFailed(tenant, group, what, error);
    }
}
