namespace Metrics.EndToEnd.Programs;

/// <summary>Material that lies beside the checkout, not in it.</summary>
internal static class SharedFolder
{
    /// <summary>The full path of a file in ../shared, or null when it is not there.</summary>
    public static string? Find(string relative)
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Metrics.sln")))
            {
                var path = Path.Combine(at.FullName, "..", "shared", relative);
                return File.Exists(path) ? Path.GetFullPath(path) : null;
            }
        }

        return null;
    }
}
