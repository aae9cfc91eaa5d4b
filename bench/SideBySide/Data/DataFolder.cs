using System.Globalization;

namespace Metrics.SideBySide;

/// <summary>Where the servers under measurement keep their data: fresh folders that are removed after each server's turn, or folders that stay, filled once.</summary>
internal sealed class DataFolder : IDisposable
{
    private readonly string root;
    private readonly bool keep;

    private DataFolder(string root, bool keep)
    {
        this.root = root;
        this.keep = keep;
    }

    /// <summary>Opens the folder to keep, made if it is not there; without one, a temporary folder.</summary>
    public static DataFolder Open(string? keep) => keep is null
        ? new(Directory.CreateTempSubdirectory("metrics-bench-").FullName, false)
        : new(Directory.CreateDirectory(keep).FullName, true);

    /// <summary>The time about which the last scrape lies: that of the first run when the folder was kept, else now.</summary>
    public long Minute(long nowMs)
    {
        var file = Path.Combine(root, "minute");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, nowMs.ToString(CultureInfo.InvariantCulture));
        }

        return long.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture);
    }

    /// <summary>A server's folder, made if it is not there.</summary>
    public string Of(string server) => Directory.CreateDirectory(Path.Combine(root, server)).FullName;

    /// <summary>True when the load was sent to this server before, and its folder kept.</summary>
    public bool IsFilled(string server) => File.Exists(Path.Combine(root, server, "filled"));

    /// <summary>Notes that the load was sent.</summary>
    public void Filled(string server) => File.WriteAllBytes(Path.Combine(root, server, "filled"), []);

    /// <summary>The server has ended; removes its folder unless it is to be kept.</summary>
    public void Release(string server)
    {
        if (!keep)
        {
            Directory.Delete(Path.Combine(root, server), recursive: true);
        }
    }

    public void Dispose()
    {
        if (!keep)
        {
            Directory.Delete(root, recursive: true);
        }
    }
}
