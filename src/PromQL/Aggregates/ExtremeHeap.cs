namespace Metrics.PromQL.Aggregates;

/// <summary>Keeps the k largest (or smallest) values offered; of equal ones those that came first, as far as a heap can tell. NaN is the worst.</summary>
/// <remarks>A binary heap with the worst at its root. Sifting follows Go's container/heap, for which of two equal values goes first is visible in results.</remarks>
internal sealed class ExtremeHeap(int k, bool isTop)
{
    private readonly List<(int Series, double Value)> items = [];

    public bool IsTop { get; } = isTop;

    public int Count => items.Count;

    /// <summary>Offers a value.</summary>
    public void Offer(int series, double value)
    {
        if (items.Count < k)
        {
            items.Add((series, value));
            Up(items.Count - 1);
        }
        else if (IsWorse(items[0].Value, value))
        {
            items[0] = (series, value);
            Down(0);
        }
    }

    /// <summary>True when a value would rank after everything held.</summary>
    public bool IsWorseThanWorst(double value) => items.Count > 0 && IsWorse(value, items[0].Value);

    /// <summary>The series held, best first.</summary>
    public IReadOnlyList<int> BestFirst()
    {
        var sorted = items.ToArray();
        var order = Enumerable.Range(0, sorted.Length).ToArray();
        Array.Sort(order, (a, b) =>
        {
            var rank = IsWorse(sorted[b].Value, sorted[a].Value) ? -1 : IsWorse(sorted[a].Value, sorted[b].Value) ? 1 : 0;
            return rank != 0 ? rank : sorted[a].Series.CompareTo(sorted[b].Series);
        });
        return [.. order.Select(o => sorted[o].Series)];
    }

    private bool IsWorse(double a, double b) => double.IsNaN(a) ? !double.IsNaN(b) : !double.IsNaN(b) && (IsTop ? a < b : a > b);

    private void Up(int at)
    {
        while (at > 0)
        {
            var parent = (at - 1) / 2;
            if (!IsWorse(items[at].Value, items[parent].Value))
            {
                break;
            }

            (items[at], items[parent]) = (items[parent], items[at]);
            at = parent;
        }
    }

    private void Down(int at)
    {
        while (true)
        {
            var child = (2 * at) + 1;
            if (child >= items.Count)
            {
                break;
            }

            if (child + 1 < items.Count && IsWorse(items[child + 1].Value, items[child].Value))
            {
                child++;
            }

            if (!IsWorse(items[child].Value, items[at].Value))
            {
                break;
            }

            (items[at], items[child]) = (items[child], items[at]);
            at = child;
        }
    }
}
