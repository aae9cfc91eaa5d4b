namespace Metrics.PromQL.Tests.TestScripts;

/// <summary>Prometheus's own scripts, which lie beside the repository and are never part of it.</summary>
internal static class ScriptFolder
{
    public static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "shared", "promqltest");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }
}
