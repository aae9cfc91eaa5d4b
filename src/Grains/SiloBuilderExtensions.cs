using Metrics.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Messaging;
using Orleans.Serialization;

namespace Metrics.Grains;

/// <summary>Makes an Orleans silo one of Metrics.</summary>
public static class SiloBuilderExtensions
{
    /// <summary>Adds shards, their placement and what silos tell each other. The silo is named by its card, so that others know what it holds.</summary>
    /// <param name="builder">The silo.</param>
    /// <param name="context">What it was started with.</param>
    /// <param name="transport">The transport that its node was opened with; null for a silo without one.</param>
    public static ISiloBuilder UseShards(this ISiloBuilder builder, SiloContext context, SiloLogTransport? transport)
    {
        builder.Services.PostConfigure<Orleans.Configuration.SiloOptions>(options => options.SiloName = context.Card.ToString());
        // Whoever called another silo hears what it failed with. By default Orleans carries exceptions of some namespaces only, and where one is the cause of another, both come out as a fault of the serializer.
        builder.Services.Configure<ExceptionSerializationOptions>(static options => options.SupportedExceptionTypeFilter = static _ => true);
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(context);
        builder.Services.AddSingleton<SiloDirectory>();
        builder.Services.AddSingleton<SiloServiceClient>();
        builder.Services.AddSingleton<TenantClosings>();
        builder.Services.AddSingleton<SiloRules>();
        builder.Services.AddSingleton<SiloCounts>();
        builder.Services.AddSingleton<SiloQueries>();
        builder.Services.AddSingleton<ShardMoves>();
        builder.Services.AddSingleton<ShardHandOver>();
        builder.Services.AddSingleton<TenantDemands>();
        builder.Services.AddSingleton<SiloShardOwners>();
        builder.Services.AddSingleton(services => new Resharding(context.Store, context.Maps, services.GetRequiredService<SiloShardOwners>(), context.Options.Resharding, services.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<SiloWatch>();
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(static services => services.GetRequiredService<SiloWatch>());
        builder.Services.AddSingleton<IdleCare>();
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(static services => services.GetRequiredService<IdleCare>());
        builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, GrainSeriesLedger>();
        builder.AddPlacementDirector<ShardPlacementStrategy, ShardPlacementDirector>();
        builder.AddGrainService<SiloService>();
        if (transport is not null)
        {
            builder.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>>(services => new TransportStart(transport, services));
        }

        return builder;
    }

    /// <summary>Keeps membership in the bucket.</summary>
    public static ISiloBuilder UseBucketMembership(this ISiloBuilder builder, BucketMembership bucket)
    {
        builder.Services.AddSingleton(bucket);
        builder.Services.AddSingleton<IMembershipTable, BucketMembershipTable>();
        return builder;
    }

    /// <summary>Finds silos by the membership in the bucket.</summary>
    public static IClientBuilder UseBucketMembership(this IClientBuilder builder, BucketMembership bucket)
    {
        builder.Services.AddSingleton(bucket);
        builder.Services.AddSingleton<IGatewayListProvider, BucketGatewayList>();
        return builder;
    }

    private sealed class TransportStart(SiloLogTransport transport, IServiceProvider services) : ILifecycleParticipant<ISiloLifecycle>
    {
        public void Participate(ISiloLifecycle observer) => observer.Subscribe(nameof(SiloLogTransport), ServiceLifecycleStage.RuntimeGrainServices - 1, _ =>
        {
            transport.Attach(services);
            return Task.CompletedTask;
        });
    }
}
