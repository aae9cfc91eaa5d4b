using System.Globalization;

namespace Metrics.SideBySide;

/// <summary>What was measured, by server and name, over all runs; each is also printed when it is taken, for programs to read.</summary>
internal sealed class Figures
{
    private readonly Dictionary<(string Server, string Name), List<double>> values = [];
    private readonly List<(string Name, string Format)> names = [];

    /// <summary>The names in the order in which they were first taken.</summary>
    public IReadOnlyList<(string Name, string Format)> Names => names;

    /// <summary>Keeps a figure and prints `figure TAB server TAB name TAB value` to standard error.</summary>
    public void Add(string server, string name, double value, string format)
    {
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"figure\t{server}\t{name}\t{value:R}"));
        if (!names.Exists(n => n.Name == name))
        {
            names.Add((name, format));
        }

        if (!values.TryGetValue((server, name), out var list))
        {
            values[(server, name)] = list = [];
        }

        list.Add(value);
    }

    /// <summary>The median over the runs; NaN when it was not taken.</summary>
    public double Median(string server, string name) => values.TryGetValue((server, name), out var list) ? Statistics.Quantile(list, 0.5) : double.NaN;
}
