using Orleans.Runtime.Services;

namespace Metrics.Grains;

/// <summary>The way to the <see cref="ISiloService"/> of a silo.</summary>
internal sealed class SiloServiceClient(IServiceProvider services) : GrainServiceClient<ISiloService>(services)
{
    /// <summary>The service of a silo.</summary>
    public ISiloService Of(SiloAddress silo) => GetGrainService(silo);
}
