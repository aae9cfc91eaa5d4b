namespace Metrics.PromQL.Execution;

/// <summary>One bit per series and step.</summary>
internal sealed class StepBits(int series, int steps)
{
    private readonly int wordsPerRow = (steps + 63) / 64;
    private readonly ulong[] words = new ulong[series * ((steps + 63) / 64)];

    public void Set(int at, int step) => words[(at * wordsPerRow) + (step >> 6)] |= 1UL << (step & 63);

    /// <summary>Clears the bits of a row that are not set here.</summary>
    public void Restrict(int at, Span<ulong> presence)
    {
        for (var word = 0; word < presence.Length; word++)
        {
            presence[word] &= words[(at * wordsPerRow) + word];
        }
    }
}
