namespace Metrics.Cluster.Tests;

/// <summary>All files of a folder as a process that dies now would leave them, while others may go on writing there.</summary>
internal static class CrashImage
{
    /// <summary>Copies every file but those that are only held: a process that ends lets go of them.</summary>
    public static void Take(string from, string to)
    {
        foreach (var path in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(path) != "LOCK" && Path.GetExtension(path) != ".lock")
            {
                Copy(path, Path.Combine(to, Path.GetRelativePath(from, path)));
            }
        }
    }

    /// <summary>Copies a file, unless it was dropped or renamed since it was listed. One that its writer lets nobody read is waited for.</summary>
    public static void Copy(string path, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        for (var patience = new SpinWait(); ; patience.SpinOnce())
        {
            try
            {
                using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                using var copy = File.Create(target);
                source.CopyTo(copy);
                return;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                return;
            }
            catch (IOException) when (patience.Count < 10_000)
            {
                // It is being written, and that takes a moment.
            }
        }
    }
}
