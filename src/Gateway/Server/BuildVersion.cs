using System.Reflection;

namespace Metrics.Gateway.Server;

/// <summary>Which build this is.</summary>
internal static class BuildVersion
{
    /// <summary>The Prometheus whose HTTP API and PromQL are spoken here.</summary>
    public const string Prometheus = "3.14.0";

    private static readonly string[] Parts =
        (typeof(BuildVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0").Split('+', 2);

    /// <summary>Our own version, e.g. <c>0.1.0</c>.</summary>
    public static string Own => Parts[0];

    /// <summary>The commit it was built from, as far as known.</summary>
    public static string Revision => Parts.Length > 1 ? Parts[1] : "";
}
