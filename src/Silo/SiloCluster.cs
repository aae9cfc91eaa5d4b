using System.Net;
using System.Net.NetworkInformation;
using Metrics.Cluster;
using Metrics.Gateway.Cli;
using Metrics.Gateway.Configuration;
using Metrics.Grains;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Orleans.Configuration;
using GatewayOptions = Metrics.Gateway.Configuration.GatewayOptions;

namespace Metrics.Silo;

/// <summary>Starts this process's silo, for the gateway of the same process to serve.</summary>
internal static class SiloCluster
{
    /// <summary>How often at least a silo reads who is a member: a change travels by gossip, and this is for who missed it.</summary>
    private static readonly TimeSpan refreshEveryMost = TimeSpan.FromSeconds(20);

    /// <summary>Opens the bucket and the node, starts the silo and joins the cluster.</summary>
    /// <exception cref="ConfigurationException">A setting is missing.</exception>
    /// <exception cref="IOException">The data folder or the bucket can't be used, or the address is taken.</exception>
    public static async ValueTask<ICluster> OpenAsync(GatewayOptions options, EngineOptions engine, ILoggerFactory loggers, CancellationToken stop)
    {
        var store = LocalCluster.StoreOf(options.Archive)
            ?? throw new ConfigurationException("archive.objstore_config_file: a cluster needs object storage that all its silos share: an S3 bucket, or a folder (type FILESYSTEM) on a file system that all mount");
        ShardNode? node = null;
        IHost? host = null;
        try
        {
            var settings = options.Cluster;
            var storage = StorageOf(options);
            var logger = loggers.CreateLogger("cluster");
            SiloLogTransport? transport = null;
            if (settings.Role != SiloRole.Gateway)
            {
                transport = new SiloLogTransport();
                var replication = new ReplicationOptions { Factor = settings.ReplicationFactor, Grace = settings.LogGrace, AbandonsUnavailable = settings.AbandonLostLogs };
                node = ShardNode.Open(storage, replication, engine, store, transport, transport.Followers, TimeProvider.System, logger.NodeReport, transport.Crowded);
            }

            var card = new SiloCard(node?.Id ?? new NodeId(""), settings.Zone, settings.Role == SiloRole.Shards ? "" : HttpAddress(options)) { Pool = TenantPool.Of(settings.Tenants) };
            var maps = node?.Maps ?? new TenantShardMaps(store, storage.ShardsPerTenant);
            var context = new SiloContext(card, store, node, storage.DataDirectory, maps, new Grains.SiloOptions { IdleAfter = settings.IdleAfter, DrainTimeout = settings.DrainTimeout, BalanceEvery = settings.BalanceEvery, ReportEvery = settings.ReportEvery, Resharding = storage.Resharding });
            var tls = settings.TlsCertFile.Length > 0 ? new SiloTls(settings, logger) : null;
            if (tls is null && !IPAddress.IsLoopback(OptionsValidator.ParseListen(settings.Listen, "cluster.listen").Address))
            {
                logger.SilosInTheClear(settings.Listen);
            }

            host = Build(settings, context, transport, tls is null ? null : new TlsConnections(tls, logger), loggers);
            await JoinAsync(host, settings, store, logger, stop);
            logger.Joined(settings.Name, card.Node.Value, settings.ReplicationFactor);
            return new HostedCluster(host, node, store);
        }
        catch
        {
            host?.Dispose();
            if (node is not null)
            {
                await node.DisposeAsync();
            }

            await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the silo; and sees to it that it need not wait for members of which none is left.</summary>
    private static async Task JoinAsync(IHost host, ClusterSettings settings, IObjectStore store, ILogger logger, CancellationToken stop)
    {
        using var joined = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var watching = new BucketMembership(store).BurySilentAsync(settings.Name, 3 * settings.AliveEvery, TimeProvider.System, logger.NodeReport, joined.Token);
        try
        {
            await host.StartAsync(stop);
        }
        finally
        {
            await joined.CancelAsync();
            await watching;
        }
    }

    /// <summary>A tenant of a cluster begins with one shard, which splits when it has to; processors are shared by the tenants' shards.</summary>
    private static StorageOptions StorageOf(GatewayOptions options)
    {
        var storage = LocalCluster.StorageOf(options);
        return options.Storage.ShardsPerTenant == 0 ? storage with { ShardsPerTenant = 1 } : storage;
    }

    private static IHost Build(ClusterSettings settings, SiloContext context, SiloLogTransport? transport, TlsConnections? tls, ILoggerFactory loggers)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, CallerLifetime>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = settings.DrainTimeout + TimeSpan.FromSeconds(30));
        builder.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (settings.Name, settings.Name));
            silo.Configure<EndpointOptions>(endpoints =>
            {
                var listen = OptionsValidator.ParseListen(settings.Listen, "cluster.listen");
                endpoints.AdvertisedIPAddress = Advertised(settings, listen.Address);
                endpoints.SiloPort = listen.Port;
                endpoints.SiloListeningEndpoint = listen;
                endpoints.GatewayPort = 0; // Clients speak HTTP.
            });
            silo.Configure<ClusterMembershipOptions>(membership =>
            {
                membership.ProbeTimeout = settings.ProbeTimeout;
                membership.IAmAliveTablePublishTimeout = settings.AliveEvery;
                membership.TableRefreshTimeout = Shorter(refreshEveryMost, 10 * settings.ProbeTimeout);
            });
            silo.Configure<SiloMessagingOptions>(messaging =>
            {
                messaging.ResponseTimeout = TimeSpan.FromMinutes(5); // Longer than a query may take; what has a deadline of its own brings it.
                messaging.MaxMessageBodySize = 256 * 1024 * 1024;
            });
            if (tls is not null)
            {
                silo.Configure<SiloConnectionOptions>(connections =>
                {
                    connections.ConfigureSiloInboundConnection(tls.AddServer);
                    connections.ConfigureSiloOutboundConnection(tls.AddClient);
                });
            }

            silo.UseBucketMembership(new BucketMembership(context.Store));
            silo.UseShards(context, transport);
        });
        return builder.Build();
    }

    // Who wants the dead found sooner than by default wants this sooner too; nobody wants it later.
    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static string HttpAddress(GatewayOptions options)
    {
        var listen = OptionsValidator.ParseListen(options.Http.Listen);
        var isAny = listen.Address.Equals(IPAddress.Any) || listen.Address.Equals(IPAddress.IPv6Any);
        return new IPEndPoint(isAny ? Advertised(options.Cluster, listen.Address) : listen.Address, listen.Port).ToString();
    }

    private static IPAddress Advertised(ClusterSettings settings, IPAddress listen)
    {
        if (settings.AdvertisedAddress.Length > 0)
        {
            return IPAddress.Parse(settings.AdvertisedAddress);
        }

        if (!listen.Equals(IPAddress.Any) && !listen.Equals(IPAddress.IPv6Any))
        {
            return listen;
        }

        return NetworkInterface.GetAllNetworkInterfaces()
            .Where(static n => n.OperationalStatus == OperationalStatus.Up && n.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .SelectMany(static n => n.GetIPProperties().UnicastAddresses)
            .Select(static a => a.Address)
            .FirstOrDefault(a => a.AddressFamily == listen.AddressFamily && !a.IsIPv6LinkLocal) ?? (listen.Equals(IPAddress.Any) ? IPAddress.Loopback : IPAddress.IPv6Loopback);
    }

    /// <summary>Whoever opened the cluster closes it.</summary>
    private sealed class CallerLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
