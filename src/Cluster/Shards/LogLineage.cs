using System.Security.Cryptography;
using System.Text;
using Metrics.Model;

namespace Metrics.Cluster;

/// <summary>Names a log, so that record numbers noted elsewhere are not applied to another one: a log that was lost begins again at 0.</summary>
internal static class LogLineage
{
    private const string FileName = "lineage";

    /// <summary>The name of the log in a folder; one without a name gets it.</summary>
    public static string Read(string logFolder)
    {
        var path = Path.Combine(logFolder, FileName);
        return File.Exists(path) ? File.ReadAllText(path).Trim() : Begin(logFolder);
    }

    /// <summary>Gives the log in a folder another name.</summary>
    public static string Begin(string logFolder)
    {
        Directory.CreateDirectory(logFolder);
        var name = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        DurableFile.Replace(Path.Combine(logFolder, FileName), Encoding.UTF8.GetBytes(name));
        return name;
    }
}
