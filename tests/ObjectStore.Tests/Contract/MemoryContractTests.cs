namespace Metrics.ObjectStore.Tests;

public sealed class MemoryContractTests : ObjectStoreContract
{
    protected override IObjectStore Store { get; } = new MemoryObjectStore(TimeProvider.System);
}
