using System.Diagnostics;
using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Metrics.Testing;
using Xunit;

namespace Metrics.ObjectStore.Tests;

/// <summary>A real S3 server: Ceph's object gateway over the smallest cluster there is, one monitor and one store in memory. Started once for all tests.</summary>
/// <remarks>
/// Ceph and not s3rver: it is what people run, it checks signatures and digests, and it evaluates If-Match and If-None-Match of puts in one step with
/// the put, which s3rver does not know. Everything lies in a temporary folder and listens on loopback.
/// </remarks>
public sealed class CephServer : IAsyncLifetime
{
    public const string Category = "ObjectStorage";
    public const string AccessKey = "testkey";
    public const string SecretKey = "a-secret-that-no-message-may-show";
    public const string KmsKeyId = "test-kms-key";
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60);
    private readonly TemporaryFolder folder = new();
    private readonly List<Process> daemons = [];
    private readonly StringBuilder output = new();

    /// <summary>Host and port of the gateway.</summary>
    public string Endpoint { get; private set; } = "";

    public int Port { get; private set; }

    /// <summary>A bucket that is there.</summary>
    public string Bucket => "metrics-tests";

    public S3Options Options(string prefix = "", string? endpoint = null) => new()
    {
        Bucket = Bucket,
        Endpoint = endpoint ?? Endpoint,
        Insecure = true,
        AccessKey = AccessKey,
        SecretKey = SecretKey,
        Prefix = prefix,
        PartBytes = S3Options.MinPartBytes,
        FirstPause = TimeSpan.FromMilliseconds(1),
        LongestPause = TimeSpan.FromMilliseconds(20),
    };

    /// <summary>The SDK's own client, to look at what ours did.</summary>
    public AmazonS3Client NewClient() => new(
        new BasicAWSCredentials(AccessKey, SecretKey), new AmazonS3Config { ServiceURL = $"http://{Endpoint}", ForcePathStyle = true });

    public async Task InitializeAsync()
    {
        try
        {
            await StartAsync();
        }
        catch (Exception e)
        {
            Stop();
            throw new InvalidOperationException(
                $"the S3 server for tests did not start: {e.Message} (test.sh installs it: ceph-mon, ceph-osd, radosgw)\n{output}", e);
        }
    }

    public Task DisposeAsync()
    {
        Stop();
        return Task.CompletedTask;
    }

    private async Task StartAsync()
    {
        Port = FreePorts.Next();
        Endpoint = $"127.0.0.1:{Port}";
        var clusterId = Guid.NewGuid().ToString();
        var storeId = Guid.NewGuid().ToString();
        var monitor = $"[v2:127.0.0.1:{FreePorts.Next()},v1:127.0.0.1:{FreePorts.Next()}]";
        await File.WriteAllTextAsync(folder.Sub("ceph.conf"), Configuration(clusterId, monitor));
        foreach (var name in new[] { "mon", "osd", "rgw" })
        {
            Directory.CreateDirectory(folder.Sub(name));
        }

        var keyring = folder.Sub("keyring");
        await RunAsync("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
        foreach (var name in new[] { "client.admin", "client.rgw", "osd.0" })
        {
            await RunAsync("ceph-authtool", keyring, "--gen-key", "-n", name, "--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *");
        }

        await RunAsync("monmaptool", "--create", "--fsid", clusterId, "--addv", "a", monitor, folder.Sub("monmap"));
        await RunAsync("ceph-mon", "-i", "a", "--mkfs", "--monmap", folder.Sub("monmap"), "--keyring", keyring);
        StartDaemon("ceph-mon", "-i", "a", "-f");
        await RunAsync("ceph", "osd", "new", storeId, "0");
        await RunAsync("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", storeId);
        StartDaemon("ceph-osd", "-i", "0", "-f");
        await RunAsync(
            "radosgw-admin", "user", "create", "--uid", "test", "--display-name", "test", "--access-key", AccessKey, "--secret-key", SecretKey);
        StartDaemon("radosgw", "-n", "client.rgw", "-f");
        await CreateBucketAsync();
    }

    private string Configuration(string clusterId, string monitor) => $"""
        [global]
        fsid = {clusterId}
        mon host = {monitor}
        keyring = {folder.Sub("keyring")}
        auth cluster required = cephx
        auth service required = cephx
        auth client required = cephx
        run dir = {folder.Path}
        log file = {folder.Path}/$name.log
        admin socket = {folder.Path}/$name.asok
        pid file = {folder.Path}/$name.pid
        osd pool default size = 1
        osd pool default min size = 1
        osd pool default pg num = 1
        osd pool default pgp num = 1
        osd pool default pg autoscale mode = off
        osd crush chooseleaf type = 0
        mon allow pool size one = true
        mon data avail crit = 1
        mon data avail warn = 1
        ms bind ipv6 = false
        public addr = 127.0.0.1
        cluster addr = 127.0.0.1
        [mon.a]
        mon data = {folder.Sub("mon")}
        [osd.0]
        osd data = {folder.Sub("osd")}
        osd objectstore = memstore
        memstore device bytes = 1073741824
        [client.rgw]
        rgw data = {folder.Sub("rgw")}
        rgw frontends = beast endpoint=127.0.0.1:{Port} tcp_nodelay=1
        rgw thread pool size = 64
        rgw crypt require ssl = false
        rgw crypt s3 kms backend = testing
        rgw crypt s3 kms encryption keys = {KmsKeyId}={Convert.ToBase64String(Enumerable.Range(3, 32).Select(i => (byte)i).ToArray())}

        """;

    private async Task CreateBucketAsync()
    {
        using var client = NewClient();
        using var limit = new CancellationTokenSource(patience);
        while (true)
        {
            try
            {
                await client.PutBucketAsync(Bucket, limit.Token);
                return;
            }
            catch (Exception e) when (e is HttpRequestException or AmazonServiceException && !daemons.Exists(d => d.HasExited))
            {
                // It opens its port when it is ready.
                await Task.Delay(TimeSpan.FromMilliseconds(50), limit.Token);
            }
        }
    }

    private void StartDaemon(string file, params string[] arguments) => daemons.Add(Start(file, arguments));

    private async Task RunAsync(string file, params string[] arguments)
    {
        using var process = Start(file, arguments);
        using var limit = new CancellationTokenSource(patience);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            throw new TimeoutException($"{file} {string.Join(' ', arguments)} did not end", e);
        }

        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{file} {string.Join(' ', arguments)} ended with {process.ExitCode}");
        }
    }

    private Process Start(string file, string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        start.Environment["CEPH_CONF"] = folder.Sub("ceph.conf");
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (output)
        {
            output.AppendLine(line.Data);
        }
    }

    private void Stop()
    {
        foreach (var daemon in Enumerable.Reverse(daemons))
        {
            daemon.Kill();
            daemon.WaitForExit();
            daemon.Dispose();
        }

        daemons.Clear();
        folder.Dispose();
    }
}

[CollectionDefinition(Name)]
#pragma warning disable CA1711 // xunit calls it a collection.
public sealed class CephCollection : ICollectionFixture<CephServer>
#pragma warning restore CA1711
{
    public const string Name = "Ceph";
}
