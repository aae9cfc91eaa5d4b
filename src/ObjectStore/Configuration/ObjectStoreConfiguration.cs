namespace Metrics.ObjectStore;

/// <summary>Which object storage to use, as Thanos's <c>objstore.config</c> says it: <c>type</c>, <c>config</c> and <c>prefix</c>.</summary>
/// <remarks>
/// The types <c>FILESYSTEM</c> and <c>S3</c>, in any case. All keys of Thanos's file are known; a key or a value that we can't honour is an error that
/// says so, never silently dropped. Source of the format: https://thanos.io/tip/thanos/storage.md and the configuration structs of thanos-io/objstore.
/// </remarks>
public sealed class ObjectStoreConfiguration
{
    /// <summary>Thanos's other stores.</summary>
    private static readonly string[] elsewhere = ["GCS", "AZURE", "SWIFT", "COS", "ALIYUNOSS", "BOS", "OCI", "OBS", "TOS"];

    private readonly string source;

    private ObjectStoreConfiguration(string source, string? folder, S3Options? s3) => (this.source, Folder, S3) = (source, folder, s3);

    /// <summary>The folder, with the prefix, of type FILESYSTEM; else null.</summary>
    public string? Folder { get; }

    /// <summary>The bucket of type S3; else null.</summary>
    public S3Options? S3 { get; }

    /// <summary>Reads a configuration.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="source">What messages call it: the file's path, a flag's name.</param>
    /// <exception cref="ObjectStoreConfigurationException">It can't be used: which line, which key, what is wrong and what would be right.</exception>
    public static ObjectStoreConfiguration Parse(string yaml, string source)
    {
        var top = new ConfigurationSection(ConfigurationNode.Parse(yaml, source));
        var type = top.Required("type");
        var prefix = Prefix(top);
        ObjectStoreConfiguration configuration;
        switch (type.ToUpperInvariant())
        {
            case "FILESYSTEM":
                var section = top.Section("config");
                var folder = section.Required("directory");
                section.Close();
                configuration = new ObjectStoreConfiguration(source, prefix.Length == 0 ? folder : Path.Combine(folder, prefix), null);
                break;
            case "S3":
                configuration = new ObjectStoreConfiguration(source, null, S3Section.Read(top.Section("config"), prefix));
                break;
            case var other when elsewhere.Contains(other, StringComparer.Ordinal):
                throw top.At("type").Wrong($"not supported: {other}; want FILESYSTEM or S3 (an S3-compatible server or gateway serves too)");
            default:
                throw top.At("type").Wrong($"got \"{type}\", want FILESYSTEM or S3");
        }

        top.Close();
        return configuration;
    }

    /// <summary>Reads a configuration from a file.</summary>
    /// <exception cref="ObjectStoreConfigurationException">It can't be read or used.</exception>
    public static ObjectStoreConfiguration FromFile(string path)
    {
        string yaml;
        try
        {
            yaml = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ObjectStoreConfigurationException($"{path}: cannot read it: {e.Message}", e);
        }

        return Parse(yaml, path);
    }

    /// <summary>Opens the store. A folder is made if missing; a bucket is first asked by the first call.</summary>
    /// <exception cref="ObjectStoreConfigurationException">The folder or a certificate can't be used.</exception>
    public IObjectStore Open(TimeProvider time)
    {
        try
        {
            return S3 is not null ? S3ObjectStore.Open(S3, time) : FileSystemObjectStore.Open(Folder!, time);
        }
        catch (ObjectStoreException e)
        {
            throw new ObjectStoreConfigurationException($"{source}: {e.Message}", e);
        }
    }

    /// <summary>The store's name, without secrets.</summary>
    public override string ToString() => S3?.ToString() ?? Folder!;

    private static string Prefix(ConfigurationSection top)
    {
        var prefix = top.Text("prefix").Trim('/');
        return prefix.Length > 0 && ObjectKey.Problem(prefix) is { } problem ? throw top.At("prefix").Wrong($"got \"{prefix}\": {problem}") : prefix;
    }
}
