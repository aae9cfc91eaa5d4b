using System.Collections.Frozen;

namespace Metrics.Gateway.Server;

/// <summary>Finds the route of a path: a look-up, a comparison of its ends for the one path with a variable segment, or of its beginning for those that end in <c>{*rest}</c>.</summary>
internal sealed class RouteTable
{
    private const string LabelPrefix = "/api/v1/label/";
    private const string LabelSuffix = "/values";
    private const string Rest = "{*rest}";

    private readonly FrozenDictionary<string, HttpRoute> exact;
    private readonly HttpRoute? labelValues;
    private readonly HttpRoute[] open;
    private readonly string prefix;

    /// <summary>Makes a table; every path is also found under the prefix.</summary>
    public RouteTable(IEnumerable<HttpRoute> routes, string prefix)
    {
        var all = routes.ToList();
        labelValues = all.Find(r => r.Path == LabelPrefix + "{name}" + LabelSuffix);
        open = [.. all.Where(r => r.Path.EndsWith(Rest, StringComparison.Ordinal))];
        exact = all.Where(r => r != labelValues && !open.Contains(r)).ToFrozenDictionary(r => r.Path, StringComparer.Ordinal);
        this.prefix = prefix;
    }

    /// <summary>The route of a path, or null; <paramref name="segment"/> is what stands for its variable.</summary>
    public HttpRoute? Find(string path, out string segment)
    {
        var hasPrefix = prefix.Length > 0 && path.StartsWith(prefix, StringComparison.Ordinal) && path.Length > prefix.Length && path[prefix.Length] == '/';
        return FindBare(path, out segment) ?? (hasPrefix ? FindBare(path[prefix.Length..], out segment) : null);
    }

    private HttpRoute? FindBare(string path, out string segment)
    {
        segment = "";
        if (exact.TryGetValue(path, out var route))
        {
            return route;
        }

        foreach (var candidate in open)
        {
            var start = candidate.Path.AsSpan(0, candidate.Path.Length - Rest.Length);
            if (path.Length > start.Length && path.AsSpan().StartsWith(start, StringComparison.Ordinal))
            {
                segment = path[start.Length..];
                return candidate;
            }
        }

        if (labelValues is null || path.Length <= LabelPrefix.Length + LabelSuffix.Length
            || !path.StartsWith(LabelPrefix, StringComparison.Ordinal) || !path.EndsWith(LabelSuffix, StringComparison.Ordinal))
        {
            return null;
        }

        segment = path[LabelPrefix.Length..^LabelSuffix.Length];
        return segment.Contains('/') ? null : labelValues;
    }
}
