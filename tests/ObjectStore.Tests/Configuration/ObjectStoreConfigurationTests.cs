using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Metrics.ObjectStore.Tests;

public sealed class ObjectStoreConfigurationTests
{
    private const string Minimal = "type: S3\nconfig:\n  bucket: metrics\n  endpoint: minio:9000\n  access_key: id\n  secret_key: s3cr3t\n";

    [Theory]
    [InlineData("FILESYSTEM")]
    [InlineData("filesystem")]
    public async Task AFolderIsOpened(string type)
    {
        using var folder = new TemporaryFolder();
        var configuration = ObjectStoreConfiguration.Parse($"type: {type}\nconfig:\n  directory: {folder.Sub("d")}\nprefix: a/b/\n", "x.yaml");
        Assert.Equal(folder.Sub("d/a/b"), configuration.Folder);
        await using var store = configuration.Open(TimeProvider.System);
        await store.PutAsync("k", new byte[1], PutCondition.None, CancellationToken.None);
        Assert.True(File.Exists(folder.Sub("d/a/b/k")));
    }

    [Fact]
    public void AllThatThanosKnowsOfS3IsKnown()
    {
        using var folder = new TemporaryFolder();
        var s3 = ObjectStoreConfiguration.Parse(
            """
            type: s3
            config:
              bucket: "metrics"
              endpoint: "s3.eu-west-1.amazonaws.com"
              region: "eu-west-1"
              disable_dualstack: false
              aws_sdk_auth: false
              access_key: "id"
              insecure: false
              signature_version2: false
              secret_key: "s3cr3t"
              session_token: "t0k3n"
              put_user_metadata: {"X-Amz-Storage-Class": "STANDARD_IA", "owner": "me"}
              http_config:
                idle_conn_timeout: 1m30s
                response_header_timeout: 2m
                insecure_skip_verify: false
                tls_handshake_timeout: 10s
                expect_continue_timeout: 1s
                max_idle_conns: 100
                max_idle_conns_per_host: 100
                max_conns_per_host: 7
                tls_config:
                  ca_file: ""
                  cert_file: ""
                  key_file: ""
                  server_name: "other"
                  insecure_skip_verify: true
                disable_compression: false
              trace:
                enable: false
              list_objects_version: "v1"
              bucket_lookup_type: virtual-hosted
              send_content_md5: true
              disable_multipart: true
              part_size: 67108864
              max_retries: 3
              sse_config:
                type: "SSE-KMS"
                kms_key_id: "key"
                kms_encryption_context: {team: metrics}
                encryption_key: ""
              sts_endpoint: ""
            prefix: "a/b"
            """,
            "x.yaml").S3!;
        Assert.Equal(("metrics", "s3.eu-west-1.amazonaws.com", "eu-west-1", "a/b"), (s3.Bucket, s3.Endpoint, s3.Region, s3.Prefix));
        Assert.Equal(("id", "s3cr3t", "t0k3n", "STANDARD_IA"), (s3.AccessKey, s3.SecretKey, s3.SessionToken, s3.StorageClass));
        Assert.Equal([new("owner", "me")], s3.Metadata);
        Assert.Equal((BucketLookup.VirtualHosted, true, true, false, 4), (s3.Lookup, s3.ListVersion1, s3.SendContentMd5, s3.Multipart, s3.MaxTries));
        Assert.Equal((TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(8), TimeSpan.FromSeconds(90)), (s3.TryTimeout, s3.Deadline, s3.IdleTimeout));
        Assert.Equal((7, "other", true), (s3.MaxConnections, s3.Tls.ServerName, s3.Tls.InsecureSkipVerify));
        Assert.NotNull(s3.Encryption);
        Assert.Equal("s3://metrics/a/b", s3.ToString());
    }

    [Fact]
    public void WithoutAKeyCredentialsComeFromTheEnvironment()
    {
        var s3 = ObjectStoreConfiguration.Parse("type: S3\nconfig: {bucket: metrics, endpoint: 'minio:9000', aws_sdk_auth: true}\n", "x").S3!;
        Assert.Equal("", s3.AccessKey);
        Assert.Equal((64L << 20, 10, false, false), (s3.PartBytes, s3.MaxTries, s3.Insecure, s3.ListVersion1));
    }

    [Theory]
    [InlineData("", "x.yaml:1: type is missing")]
    [InlineData("type: GCS\nconfig: {}\n", "x.yaml:1: type: not supported: GCS")]
    [InlineData("type: NFS\n", "x.yaml:1: type: got \"NFS\", want FILESYSTEM or S3")]
    [InlineData("type: FILESYSTEM\nconfig: {}\n", "directory is missing")]
    [InlineData("type: FILESYSTEM\nconfig:\n  directory: d\n  dir: e\n", "x.yaml:4: config.dir: unknown key; known here: directory")]
    [InlineData("type: FILESYSTEM\nconfig: {directory: d}\nprefix: a/../b\n", "x.yaml:3: prefix: ")]
    [InlineData("type: FILESYSTEM\nconfig: {directory: d}\nprefixes: a\n", "x.yaml:3: prefixes: unknown key; known here: config, prefix, type")]
    [InlineData("type: FILESYSTEM\ntype: S3\n", "x.yaml:2: type: given twice")]
    [InlineData("type: FILESYSTEM\nconfig: [a]\n", "x.yaml:2: config: a list")]
    [InlineData("type: &a S3\nconfig: *a\n", "x.yaml:1: type: an anchor or a tag")]
    [InlineData("type: S3\n---\ntype: S3\n", "a second document")]
    [InlineData("type: 'S3\n", "not YAML")]
    [InlineData("just text", "x.yaml:1: a text, a section with keys is expected")]
    public void WhatCanNotBeUsedIsNamedWithItsLine(string yaml, string want)
    {
        var error = Assert.Throws<ObjectStoreConfigurationException>(() => ObjectStoreConfiguration.Parse(yaml, "x.yaml"));
        Assert.Contains(want, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("region2: x", "config.region2: unknown key; known here: access_key, aws_sdk_auth, bucket,")]
    [InlineData("http_config: {timeout: 1s}", "config.http_config.timeout: unknown key; known here: disable_compression,")]
    [InlineData("http_config: {tls_config: {ca: x}}", "config.http_config.tls_config.ca: unknown key; known here: ca_file, cert_file,")]
    [InlineData("signature_version2: true", "config.signature_version2: not supported: requests are signed with version 4")]
    [InlineData("sts_endpoint: sts.example.org", "config.sts_endpoint: not supported")]
    [InlineData("trace: {enable: true}", "config.trace: not supported")]
    [InlineData("aws_sdk_auth: true", "either from the environment or from access_key")]
    [InlineData("part_size: 1024", "config.part_size: got \"1024\", want a whole number from 5242880 to 5368709120")]
    [InlineData("part_size: big", "config.part_size: got \"big\"")]
    [InlineData("insecure: maybe", "config.insecure: got \"maybe\", want true or false")]
    [InlineData("bucket_lookup_type: dns", "want one of: auto, virtual-hosted, path")]
    [InlineData("list_objects_version: v3", "want one of: v1, v2")]
    [InlineData("max_retries: -1", "config.max_retries: got \"-1\"")]
    [InlineData("http_config: {response_header_timeout: 5}", "want a duration")]
    [InlineData("http_config: {response_header_timeout: 2d}", "want a duration")]
    [InlineData("http_config: {tls_config: {cert_file: c}}", "cert_file and key_file are given both or neither")]
    [InlineData("sse_config: {type: SSE-X}", "want one of: SSE-S3, SSE-KMS, SSE-C")]
    [InlineData("sse_config: {type: SSE-KMS}", "SSE-KMS needs a kms_key_id")]
    [InlineData("sse_config: {type: SSE-C}", "SSE-C needs encryption_key")]
    [InlineData("sse_config: {type: SSE-C, encryption_key: /no/such/file}", "cannot read the key")]
    [InlineData("sse_config: {kms_key_id: k}", "belong to type SSE-KMS")]
    public void AKeyOfS3ThatCanNotBeHonouredIsRefusedWithAReason(string line, string want)
    {
        var error = Assert.Throws<ObjectStoreConfigurationException>(() => ObjectStoreConfiguration.Parse($"{Minimal}  {line}\n", "x.yaml"));
        Assert.StartsWith("x.yaml:7: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(want, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://minio:9000", "without a scheme")]
    [InlineData("minio:9000/path", "want host or host:port")]
    [InlineData("user@minio", "want host or host:port")]
    public void AnEndpointIsAHostAndAPort(string endpoint, string want)
    {
        var error = Assert.Throws<ObjectStoreConfigurationException>(
            () => ObjectStoreConfiguration.Parse(Minimal.Replace("minio:9000", endpoint, StringComparison.Ordinal), "x.yaml"));
        Assert.Contains(want, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("  access_key: id\n", "access_key and secret_key are given both")]
    [InlineData("  secret_key: s3cr3t\n", "access_key and secret_key are given both")]
    [InlineData("  session_token: s3cr3t\n", "a session token belongs to an access_key")]
    [InlineData("  secret_key: {s3cr3t: x}\n", "a section, a text is expected")]
    [InlineData("  secret_key: \"s3cr3t\n", "not YAML")]
    [InlineData("  secret_key: [s3cr3t]\n", "a list")]
    public void CredentialsAreWholeAndNeverShown(string lines, string want)
    {
        var error = Assert.Throws<ObjectStoreConfigurationException>(
            () => ObjectStoreConfiguration.Parse($"type: S3\nconfig:\n  bucket: metrics\n  endpoint: minio\n{lines}", "x.yaml"));
        Assert.Contains(want, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AFileIsReadOrNamed()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal("s3://metrics", ObjectStoreConfiguration.FromFile(folder.Write("c.yaml", Encoding.UTF8.GetBytes(Minimal))).ToString());
        Assert.Contains(folder.Sub("none"), Assert.Throws<ObjectStoreConfigurationException>(() => ObjectStoreConfiguration.FromFile(folder.Sub("none"))).Message);
    }

    [Fact]
    public void ACertificateThatCanNotBeReadIsNamedWhenOpened()
    {
        var configuration = ObjectStoreConfiguration.Parse($"{Minimal}  http_config: {{tls_config: {{ca_file: /no/such/ca.pem}}}}\n", "x.yaml");
        Assert.Contains("/no/such/ca.pem", Assert.Throws<ObjectStoreConfigurationException>(() => configuration.Open(TimeProvider.System)).Message);
    }

    [Fact]
    public void NoTextCrashesTheReader()
    {
        var deep = new string('[', 100_000);
        Assert.Throws<ObjectStoreConfigurationException>(() => ObjectStoreConfiguration.Parse(deep, "x"));
        Assert.Throws<ObjectStoreConfigurationException>(() => ObjectStoreConfiguration.Parse($"type: {deep}", "x"));
        Assert.Throws<ObjectStoreConfigurationException>(() => ObjectStoreConfiguration.Parse(string.Concat(Enumerable.Repeat("{a: ", 1000)), "x"));
        var pieces = Gen.Elements("type", "S3", ": ", "\n", "  ", "config", "{", "}", "[", "]", "&a ", "*a", "!!x ", "'", "\"", "- ", "? ", "|", ">", "%", "#", "\0", "\ud83c\udfaf", "---", "...", "\t");
        Prop.ForAll(Gen.ListOf(pieces).Select(string.Concat).ToArbitrary(), text =>
        {
            try
            {
                ObjectStoreConfiguration.Parse(text, "x");
            }
            catch (ObjectStoreConfigurationException)
            {
                // The one way to say no.
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Theory]
    [InlineData("s3.eu-west-1.amazonaws.com", "eu-west-1")]
    [InlineData("s3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1")]
    [InlineData("s3.cn-north-1.amazonaws.com.cn", "cn-north-1")]
    [InlineData("s3.amazonaws.com", "us-east-1")]
    [InlineData("minio:9000", "us-east-1")]
    [InlineData("s3.eu-west-1.amazonaws.com.evil.org", "us-east-1")]
    public void TheRegionIsTakenFromAnAmazonEndpoint(string endpoint, string region) => Assert.Equal(region, S3Connection.RegionOf(endpoint));
}
