namespace Metrics.ObjectStore.Tests;

public sealed class FileSystemContractTests : ObjectStoreContract, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public FileSystemContractTests() => Store = FileSystemObjectStore.Open(folder.Sub("store"), TimeProvider.System);

    protected override IObjectStore Store { get; }

    public void Dispose() => folder.Dispose();
}
