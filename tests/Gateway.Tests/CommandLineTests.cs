using System.Net;
using Metrics.Gateway.Cli;
using Metrics.Gateway.Configuration;
using Xunit;

namespace Metrics.Gateway.Tests;

public class CommandLineTests
{
    [Theory]
    [InlineData("--help", 0, "Remote write in, PromQL out")]
    [InlineData("serve --help", 0, "--http-listen")]
    [InlineData("--version", 0, "metrics 0.")]
    [InlineData("promql format sum(up)by(job)", 0, "sum by (job) (up)")]
    [InlineData("promql parse up", 0, "\"type\":\"vectorSelector\"")]
    public async Task WhatIsAskedForIsPrinted(string args, int exit, string text)
    {
        var (code, output, error) = await RunAsync(args.Split(' ', 3));
        Assert.Equal((exit, ""), (code, error));
        Assert.Contains(text, output);
    }

    [Theory]
    [InlineData("promql|format|sum(", 1, "parse error")]
    [InlineData("promql|test|/nowhere.test", 2, "metrics: /nowhere.test does not exist")]
    [InlineData("promql|test", 2, "metrics: ")]
    [InlineData("serve|--nothing", 2, "metrics: ")]
    [InlineData("nothing", 2, "metrics: ")]
    [InlineData("serve|--http-listen|nowhere", 2, "metrics: http.listen: \"nowhere\" is not allowed; allowed is ADDRESS:PORT")]
    [InlineData("serve|--query-timeout|soon", 2, "metrics: --query-timeout: \"soon\" is not allowed; allowed is a duration")]
    [InlineData("serve|--config-file|/nowhere/f.yml", 2, "metrics: --config-file /nowhere/f.yml: ")]
    [InlineData("serve|--tenancy-default-tenant|a/b", 2, "metrics: tenancy.default_tenant: \"a/b\" is not allowed")]
    [InlineData("serve|--storage-shards-per-tenant|3", 2, "metrics: storage.shards_per_tenant: \"3\" is not allowed; allowed is 0 or a power of two")]
    [InlineData("serve|--storage-retention|1h", 2, "metrics: storage.retention: \"1h\" is not allowed; allowed is 0, or at least storage.block_range")]
    [InlineData("serve|--query-enable-features|x", 2, "metrics: query.enable_features: \"x\" is not allowed; allowed is promql-")]
    [InlineData("serve|--zone|a;b", 2, "metrics: cluster.zone: \"a;b\" is not allowed")]
    [InlineData("serve|--cluster-name|a/b", 2, "metrics: cluster.name: \"a/b\" is not allowed")]
    [InlineData("serve|--cluster-listen|nowhere", 2, "metrics: cluster.listen: \"nowhere\" is not allowed")]
    [InlineData("serve|--cluster-advertised-address|nowhere", 2, "metrics: cluster.advertised_address: \"nowhere\" is not allowed")]
    public async Task MistakesEndWithTheirCodeAndOneClearLine(string args, int exit, string text)
    {
        var (code, output, error) = await RunAsync(args.Split('|'));
        Assert.Equal((exit, ""), (code, output));
        Assert.Contains(text, error);
    }

    [Fact]
    public async Task ServeSaysWhereItIsAndEndsWellWhenStopped()
    {
        using var stop = new CancellationTokenSource();
        using var output = new StringWriter();
        using var error = new StringWriter();
        var cluster = new FakeCluster();
        var running = CommandLine.RunAsync(
            ["serve", "--http-listen", "127.0.0.1:0", "--data-dir", "x"],
            (_, _, _, _) => ValueTask.FromResult<Metrics.Cluster.ICluster>(cluster),
            TextWriter.Synchronized(output),
            error,
            stop.Token);
        await stop.CancelAsync();
        Assert.Equal(0, await running);
        Assert.Equal("", error.ToString());
    }

    [Fact]
    public async Task APortInUseIsOneClearLine()
    {
        using var taken = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var (code, _, error) = await RunAsync(["serve", "--http-listen", taken.LocalEndpoint.ToString()!]);
        Assert.Equal(1, code);
        Assert.Single(error.TrimEnd('\n').Split('\n'));
        Assert.Contains("address already in use", error);
    }

    [Fact]
    public void TheStorageGetsWhatTheSettingsSay()
    {
        var options = new GatewayOptions();
        options.Storage.Fsync = FsyncMode.Always;
        options.Storage.Retention = TimeSpan.FromDays(9);
        options.Storage.ShardsPerTenant = 8;
        var storage = LocalCluster.StorageOf(options);
        Assert.Empty(storage.Validate());
        Assert.Equal((Metrics.Storage.FsyncPolicy.Always, TimeSpan.FromDays(9), 8), (storage.Fsync, storage.Archive.Retention.Raw!.Value, storage.ShardsPerTenant));
        Assert.Null(LocalCluster.StorageOf(new GatewayOptions()).Archive.Retention.Raw);
        Assert.Empty(LocalCluster.StorageOf(new GatewayOptions()).Validate());
    }

    [Fact]
    public async Task ALockedDataFolderIsOneClearLine()
    {
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(
            ["serve"], (_, _, _, _) => throw new Metrics.Cluster.DataDirectoryInUseException("/data", new IOException("held")), TextWriter.Null, error, CancellationToken.None);
        Assert.Equal(1, code);
        Assert.StartsWith("metrics: data directory /data is in use by another process", error.ToString());
        Assert.Single(error.ToString().TrimEnd('\n').Split('\n'));
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await CommandLine.RunAsync(args, (_, _, _, _) => ValueTask.FromResult<Metrics.Cluster.ICluster>(new FakeCluster()), output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}
