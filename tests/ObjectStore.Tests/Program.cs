namespace Metrics.ObjectStore.Tests;

/// <summary>The test assembly started as a program of its own: a writer in another process.</summary>
internal static class Program
{
    public const string WriteLedger = "write-ledger";

    public static async Task<int> Main(string[] arguments)
    {
        if (arguments is not [WriteLedger, var root, var key, var writer, var lines])
        {
            await Console.Error.WriteLineAsync($"usage: {WriteLedger} FOLDER KEY WRITER LINES");
            return 2;
        }

        await using var store = FileSystemObjectStore.Open(root, TimeProvider.System);
        await Ledger.WriteAsync(store, key, int.Parse(writer), int.Parse(lines));
        return 0;
    }
}
