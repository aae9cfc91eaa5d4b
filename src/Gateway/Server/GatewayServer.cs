using System.Net;
using Metrics.Cluster;
using Metrics.Gateway.Admin;
using Metrics.Gateway.BlockUpload;
using Metrics.Gateway.ClusterStatus;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Federation;
using Metrics.Gateway.FrontEnd;
using Metrics.Gateway.HaDedup;
using Metrics.Gateway.Health;
using Metrics.Gateway.Influx;
using Metrics.Gateway.Limits;
using Metrics.Gateway.OpenApi;
using Metrics.Gateway.Operations;
using Metrics.Gateway.Otlp;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Relabelling;
using Metrics.Gateway.RemoteRead;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Rules;
using Metrics.Gateway.Search;
using Metrics.Gateway.Security;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;
using Metrics.Gateway.TextImport;
using Metrics.PromQL;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Metrics.Gateway.Server;

/// <summary>The HTTP server over a cluster. It listens from <see cref="StartAsync"/> on, also while logs are still being replayed.</summary>
/// <remarks>The cluster is the caller's: it is neither started nor disposed here.</remarks>
internal sealed partial class GatewayServer : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrencyGate gate;
    private readonly RulesHost rules;
    private readonly ConfigurationReload reload;
    private readonly TimeSpan watchEvery;
    private readonly int maxQueries;
    private readonly Authenticator authenticator;
    private readonly BlockUploads? uploads;

    /// <summary>Builds the server from validated options; without their source, the general limits can't be read again.</summary>
    public GatewayServer(GatewayOptions options, ICluster cluster, EngineOptions engine, QueryExecution execute, TimeProvider time, Action<ILoggingBuilder> logging, ConfigurationSource? source = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        logging(builder.Logging);
        var tls = options.Security.CertFile.Length > 0 ? new ServerTls(options.Security, options.Http.Http2) : null;
        var grpcTls = tls is not null && options.Otlp.GrpcListen.Length > 0 ? new ServerTls(options.Security, http2: true) : null;
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => Configure(kestrel, options, tls, grpcTls));
        builder.Services.AddSingleton<IHostLifetime, CallerLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Http.ShutdownTimeout);
        builder.Services.Configure<FormOptions>(Configure);
        app = builder.Build();

        Registry = new MetricRegistry();
        var limits = new LimitsTable(options, source);
        var budget = new ByteBudget(options.RemoteWrite.MaxInflight.Bytes);
        var ranking = new TenantRanking(cluster, options.Telemetry.MaxTenants);
        Instruments = new GatewayInstruments(Registry, ranking, () => budget.Taken, () => gate!.Load);
        var ingest = new IngestLimits(limits, time, cluster.ShareOf, Instruments.OnRequestRefused);
        cluster.LimitSeries(limits.SeriesOf);
        cluster.ServeCounts(ingest.CountsOf);
        var readable = new ReadableCluster(cluster, limits, options.Tenancy.UnionLabel, time);
        var queryLimits = new QueryLimits(ingest, engine.Parsing, Instruments);
        gate = new ConcurrencyGate(options.Query.MaxConcurrency, options.Query.MaxQueued, queryLimits.Concurrency);
        var startTime = time.GetUtcNow();
        ProcessInstruments.Register(Registry, startTime);
        ClusterInstruments.Register(Registry, cluster, ranking);
        QueryInstruments.Register(Registry, engine.Memory);

        var tenants = new TenantResolver(options.Tenancy, cluster);
        var endpoint = new ApiEndpoint(cluster, tenants);
        var active = new ActiveQueries(time, cluster.ProcessName);
        cluster.ServeQueries(active);
        var reads = new PlainReads(gate, active, queryLimits, options.Query.Timeout, time);
        rules = new RulesHost(options, cluster, engine, new RuleQueries(queryLimits, gate, active, options.Query.Timeout, time), time, app.Services.GetRequiredService<ILogger<RulesHost>>());
        RuleInstruments.Register(Registry, rules);
        var writeRules = new WriteRules(limits, options.Relabelling, ElectionsOf(options.HaDedup, cluster, time), time);
        var appender = new WriteAppender(cluster, options.RemoteWrite, ingest, writeRules, new WriteRuleInstruments(Registry, ranking, () => writeRules.Elections.Failovers, () => writeRules.Replaced), time);
        var intake = new WriteIntake(cluster, tenants, appender, options.RemoteWrite, budget, ingest, Instruments, options.Tenancy.LabelName);
        authenticator = new Authenticator(options.Security, time, new SecurityInstruments(Registry), app.Services.GetRequiredService<ILogger<Authenticator>>());
        WarnOfStrangers(options);
        reload = new ConfigurationReload(
            [
                new ReloadPart("security.auth_file", () => authenticator.Files, _ =>
                {
                    authenticator.Reload();
                    return Task.CompletedTask;
                }),
                new ReloadPart("security.cert_file", () => tls?.Files ?? [], _ =>
                {
                    tls?.Reload();
                    grpcTls?.Reload();
                    return Task.CompletedTask;
                }),
                new ReloadPart("limits", () => limits.Files, _ =>
                {
                    limits.Reload();
                    return Task.CompletedTask;
                }),
                new ReloadPart("relabelling.file", () => options.Relabelling.File is { Length: > 0 } path ? [path] : [], _ =>
                {
                    writeRules.Reload();
                    return Task.CompletedTask;
                }),
                new ReloadPart("rules", () => rules.Files, rules.ReloadAsync),
            ],
            time, Registry, app.Services.GetRequiredService<ILogger<ConfigurationReload>>());
        watchEvery = options.Http.WatchEvery;
        maxQueries = options.Query.MaxConcurrency;
        var cache = options.FrontEnd.ResultsCache ? new ResultCache(options.FrontEnd.CacheMaxSize.Bytes, options.FrontEnd.CacheMaxItems, options.FrontEnd.CacheValidity, time) : null;
        var history = new QueryHistory(time);
        var frontEnd = new QueryFrontEnd(readable, execute, options, engine, gate, queryLimits, active, history, new FrontEndInstruments(Registry, cache), cache, time, app.Services.GetRequiredService<ILogger<QueryFrontEnd>>());
        var labels = new LabelLookup(readable, reads, engine.Memory);
        var translation = new OtlpTranslation(options.Otlp, options.Query.EnableFeatures.Contains("type-and-unit-labels", StringComparer.Ordinal), options.Query.LookbackDelta);
        var translators = new OtlpTranslators(translation);
        if (options.Cluster.Role != SiloRole.Shards && cluster.Objects is not null)
        {
            var uploaded = new BlockUploadInstruments(Registry, ranking, app.Services.GetRequiredService<ILogger<BlockUploadInstruments>>());
            uploads = new BlockUploads(cluster, Path.Combine(options.Storage.DataDir, "uploads"), time, uploaded.OnEnded);
        }

        Shutdown = new ProcessShutdown(cluster, options.Storage.DataDir, app.Services.GetRequiredService<ILogger<ProcessShutdown>>());
        HttpRoute[] about =
        [
            .. new HealthEndpoints(cluster, Registry, Shutdown).Routes,
            .. new ShutdownEndpoints(Shutdown, options.Http.EnableLifecycle).Routes,
            .. new OperatorPages(options, cluster, limits, reload, Shutdown).Routes,
            .. new StatusEndpoints(endpoint, cluster, options, reload, Registry, time, startTime).Routes,
            .. new ClusterEndpoints(endpoint, cluster, options.Http.AdminApi).Routes,
        ];
        Routes = options.Cluster.Role == SiloRole.Shards ? about :
        [
            HelpPage.Route,
            .. about,
            .. new RemoteWriteEndpoint(intake, options.RemoteWrite.ThanosConflicts, app.Services.GetRequiredService<ILogger<RemoteWriteEndpoint>>()).Routes,
            .. new OtlpEndpoint(intake, translators, app.Services.GetRequiredService<ILogger<OtlpEndpoint>>()).Routes,
            .. new OtlpGrpcEndpoint(intake, translators, app.Services.GetRequiredService<ILogger<OtlpGrpcEndpoint>>()).Routes,
            .. new InfluxEndpoint(intake, options.Influx, time, app.Services.GetRequiredService<ILogger<InfluxEndpoint>>()).Routes,
            .. new TextImportEndpoint(intake, time, app.Services.GetRequiredService<ILogger<TextImportEndpoint>>()).Routes,
            .. new QueryEndpoints(endpoint, frontEnd, options.Query, options.FrontEnd.UserHeader, engine, queryLimits, Instruments, time).Routes,
            .. new ActiveQueryEndpoints(endpoint, active, cluster).Routes,
            .. new TopQueriesEndpoint(endpoint, history, time).Routes,
            .. new OpenApiEndpoint(() => Routes!, options.Http.RoutePrefix).Routes,
            .. new LiveNotifications(app.Lifetime.ApplicationStopping).Routes,
            .. new LabelEndpoints(endpoint, labels, options.Query).Routes,
            .. new SearchEndpoints(endpoint, readable, reads, labels, time).Routes,
            .. new CardinalityEndpoints(endpoint, readable, reads, labels).Routes,
            .. new TsdbStatusEndpoint(endpoint, readable, reads).Routes,
            .. new ScrapeEndpoints(endpoint).Routes,
            .. new FeaturesEndpoint(endpoint, options, engine).Routes,
            .. new MetadataEndpoint(endpoint, readable).Routes,
            .. new ExemplarsEndpoint(endpoint, readable, reads, engine.Parsing).Routes,
            .. new RemoteReadEndpoint(readable, tenants, options.RemoteWrite, options.Query, budget, reads, queryLimits, engine.Memory).Routes,
            .. new FederationEndpoint(endpoint, readable, reads, RuleSettings.LabelsOf(options.Rules), options.Query.LookbackDelta, time).Routes,
            .. new AdminEndpoints(endpoint, cluster, options.Http.AdminApi, app.Services.GetRequiredService<ILogger<AdminEndpoints>>()).Routes,
            .. new TenantDeletion(endpoint, cluster, tenants, rules, app.Services.GetRequiredService<ILogger<TenantDeletion>>()).Routes,
            .. new UsageEndpoints(endpoint, cluster, ingest, time).Routes,
            .. new LifecycleEndpoints(reload, options.Http.EnableLifecycle).Routes,
            .. new RuleEndpoints(endpoint, rules).Routes,
            .. new RuleConfigEndpoints(tenants, rules, limits, engine.Parsing).Routes,
            .. uploads is null ? [] : new BlockUploadEndpoints(cluster, tenants, limits, uploads).Routes,
            .. new ParseEndpoints(endpoint, engine.Parsing).Routes,
        ];
        var pipeline = new RequestPipeline(new RouteTable(Routes, options.Http.RoutePrefix), options.Http, options.Tenancy.FromPath, authenticator, Instruments, time, app.Services.GetRequiredService<ILogger<RequestPipeline>>());
        app.Run(pipeline.AnswerAsync);
    }

    /// <summary>All that is served.</summary>
    public IReadOnlyList<HttpRoute> Routes { get; }

    /// <summary>The end of the process, as asked for over HTTP.</summary>
    public ProcessShutdown Shutdown { get; }

    /// <summary>Where metrics about this process are registered.</summary>
    public MetricRegistry Registry { get; }

    /// <summary>What the gateway counts.</summary>
    public GatewayInstruments Instruments { get; }

    /// <summary>The address and port it really listens on, e.g. <c>http://127.0.0.1:10902</c>.</summary>
    public Uri Address => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    /// <summary>The same of <c>otlp.grpc_listen</c>; that of all else when there is none.</summary>
    public Uri GrpcAddress => new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Last());

    /// <summary>Listens, and evaluates rules once the data is there.</summary>
    /// <exception cref="IOException">The address is taken or not ours.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        // Queries share the processors by turns, and those that wait in the middle of theirs keep their threads: without more of them the pool would let other requests wait for those.
        ThreadPool.GetMinThreads(out var workers, out var ports);
        ThreadPool.SetMinThreads(Math.Max(workers, (4 * Environment.ProcessorCount) + (2 * maxQueries)), ports);
        await app.StartAsync(cancellation);
        rules.Start();
        reload.Watch(watchEvery);
    }

    /// <summary>Reads again what can be read again while the server runs.</summary>
    /// <exception cref="ConfigurationException">Some of it is not in order; what was in force of it stays.</exception>
    public Task ReloadAsync(CancellationToken cancellation) => reload.ReloadAsync(cancellation);

    /// <summary>Stops the rules, stops listening and lets requests in flight end, as long as the options grant.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        await reload.DisposeAsync();
        await rules.DisposeAsync();
        await app.StopAsync(cancellation);
        if (uploads is not null)
        {
            await uploads.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await reload.DisposeAsync();
        await rules.DisposeAsync();
        await app.DisposeAsync();
        authenticator.Dispose();
        Shutdown.Dispose();
        if (uploads is not null)
        {
            await uploads.DisposeAsync();
        }
    }

    /// <summary>An elector in this process hears of every write; another one often enough to hear again before it would elect the other replica.</summary>
    private static ReplicaElections ElectionsOf(HaDedupOptions options, ICluster cluster, TimeProvider time)
    {
        var updateEvery = TimeSpan.FromTicks(Math.Min(options.UpdateInterval.Ticks, options.FailoverTimeout.Ticks / 2));
        return new ReplicaElections(cluster.Elector ?? new LocalElector(time), time, options.FailoverTimeout, cluster.Elector is null ? TimeSpan.Zero : updateEvery);
    }

    private void WarnOfStrangers(GatewayOptions options)
    {
        var logger = app.Services.GetRequiredService<ILogger<GatewayServer>>();
        foreach (var listen in new[] { options.Http.Listen, options.Otlp.GrpcListen })
        {
            if (listen.Length == 0 || IPAddress.IsLoopback(OptionsValidator.ParseListen(listen).Address))
            {
                continue;
            }

            if (!authenticator.IsEnabled)
            {
                LogOpenToAll(logger, listen);
            }
            else if (options.Security.CertFile.Length == 0)
            {
                LogInTheClear(logger, listen);
            }
        }
    }

    private static void Configure(KestrelServerOptions kestrel, GatewayOptions options, ServerTls? tls, ServerTls? grpcTls)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = options.Http.MaxConnections;

        // A body over this is cut off by Kestrel itself while it is read; with a Content-Length we refuse it before.
        kestrel.Limits.MaxRequestBodySize = options.RemoteWrite.MaxBody.Bytes;

        // A GET query in the URL: long dashboards' queries reach some kilobytes; Go's limit for line and headers together is 1 MiB.
        kestrel.Limits.MaxRequestLineSize = 128 * 1024;
        kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
        kestrel.Limits.MaxRequestBufferSize = 1024 * 1024;

        // A client that connects and says nothing goes after this; Prometheus's own read timeout is 5 min.
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(5);
        Listen(kestrel, options.Http.Listen, options.Http.Http2 && tls is not null ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1, tls);
        if (options.Otlp.GrpcListen.Length > 0 && options.Cluster.Role != SiloRole.Shards)
        {
            Listen(kestrel, options.Otlp.GrpcListen, HttpProtocols.Http2, grpcTls);
        }
    }

    private static void Listen(KestrelServerOptions kestrel, string at, HttpProtocols protocols, ServerTls? tls) => kestrel.Listen(OptionsValidator.ParseListen(at), listen =>
    {
        listen.Protocols = protocols;
        if (tls is not null)
        {
            listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(tls.InForce), HandshakeTimeout = TimeSpan.FromSeconds(10) });
        }
    });

    private static void Configure(FormOptions forms)
    {
        // Go's net/http reads 10 MiB of a form; a key is a parameter's name, and match[] may repeat.
        forms.BufferBodyLengthLimit = 10 << 20;
        forms.ValueLengthLimit = 10 << 20;
        forms.MultipartBodyLengthLimit = 10 << 20;
        forms.KeyLengthLimit = 2048;
        forms.ValueCountLimit = 10_000;
    }

    /// <summary>Whoever starts the server stops it: the command line on a signal, a test when it is done.</summary>
    private sealed class CallerLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
