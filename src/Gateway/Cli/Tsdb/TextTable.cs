namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>Prints columns.</summary>
internal static class TextTable
{
    private const int Gap = 2;

    /// <summary>Prints a head and rows of as many cells, each column as wide as its widest cell.</summary>
    public static void Print(TextWriter output, string[] heads, IReadOnlyList<string[]> rows)
    {
        var widths = new int[heads.Length];
        foreach (var row in rows.Prepend(heads))
        {
            for (var i = 0; i < widths.Length; i++)
            {
                widths[i] = Math.Max(widths[i], row[i].Length + Gap);
            }
        }

        foreach (var row in rows.Prepend(heads))
        {
            output.WriteLine(string.Concat(row.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
        }
    }
}
