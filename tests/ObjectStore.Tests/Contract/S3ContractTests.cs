using Xunit;

namespace Metrics.ObjectStore.Tests;

[Collection(CephCollection.Name)]
[Trait("Category", CephServer.Category)]
public sealed class S3ContractTests : ObjectStoreContract, IAsyncDisposable
{
    public S3ContractTests(CephServer server) => Store = S3ObjectStore.Open(server.Options("some/prefix"), TimeProvider.System);

    protected override IObjectStore Store { get; }

    /// <summary>Three parts, the last one shorter.</summary>
    protected override int BigBytes => (int)(2 * S3Options.MinPartBytes) + 12345;

    protected override int IncrementsPerWriter => 8;

    public ValueTask DisposeAsync() => Store.DisposeAsync();
}
