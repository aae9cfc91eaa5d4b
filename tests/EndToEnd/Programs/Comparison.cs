namespace Metrics.EndToEnd.Programs;

/// <summary>Compares two answers series by series and point by point.</summary>
internal static class Comparison
{
    /// <summary>Values may differ by the order of additions, no more.</summary>
    public const double RelativeTolerance = 1e-9;

    public static IEnumerable<string> Differences(
        Dictionary<string, List<(double Time, double Value)>> expected, Dictionary<string, List<(double Time, double Value)>> actual)
    {
        foreach (var missing in expected.Keys.Except(actual.Keys))
        {
            yield return $"missing series {missing}";
        }

        foreach (var extra in actual.Keys.Except(expected.Keys))
        {
            yield return $"unexpected series {extra}";
        }

        foreach (var (labels, want) in expected)
        {
            if (!actual.TryGetValue(labels, out var got))
            {
                continue;
            }

            if (want.Count != got.Count)
            {
                yield return $"{labels}: {want.Count} points expected, got {got.Count}";
                continue;
            }

            for (var i = 0; i < want.Count; i++)
            {
                if (want[i].Time != got[i].Time || !Close(want[i].Value, got[i].Value))
                {
                    yield return $"{labels}: at {want[i].Time} expected {want[i].Value:R}, got {got[i].Value:R} at {got[i].Time}";
                    break;
                }
            }
        }
    }

    private static bool Close(double a, double b) =>
        a.Equals(b) || Math.Abs(a - b) <= RelativeTolerance * Math.Max(Math.Abs(a), Math.Abs(b));
}
