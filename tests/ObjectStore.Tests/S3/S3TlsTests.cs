using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Amazon.S3;
using Amazon.S3.Model;
using Xunit;

namespace Metrics.ObjectStore.Tests;

/// <summary>Certificates, encryption by the server, and the rarer settings, each as a user writes them.</summary>
[Collection(CephCollection.Name)]
[Trait("Category", CephServer.Category)]
public sealed class S3TlsTests : IAsyncDisposable
{
    private static readonly CancellationToken never = CancellationToken.None;
    private readonly string own = Guid.NewGuid().ToString("N");
    private readonly CephServer server;
    private readonly FaultyProxy proxy;
    private readonly TemporaryFolder folder = new();
    private readonly X509Certificate2 certificate = SelfSigned();

    public S3TlsTests(CephServer server)
    {
        this.server = server;
        proxy = new FaultyProxy(server.Port, certificate);
        File.WriteAllText(folder.Sub("ca.pem"), certificate.ExportCertificatePem());
        File.WriteAllBytes(folder.Sub("key"), ObjectStoreContract.Bytes(32, seed: 9));
    }

    public async ValueTask DisposeAsync()
    {
        await proxy.DisposeAsync();
        certificate.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData("http_config: {{tls_config: {{ca_file: {0}}}}}")]
    [InlineData("http_config: {{tls_config: {{ca_file: {0}, server_name: metrics.example.org}}}}")]
    [InlineData("http_config: {{tls_config: {{insecure_skip_verify: true}}}}")]
    [InlineData("http_config: {{insecure_skip_verify: true}}")]
    public async Task ATrustedServerIsTalkedTo(string line)
    {
        await using var store = Open(line);
        await store.PutAsync($"{own}/a", new byte[3], PutCondition.Absent, never);
        Assert.Equal(3, (await store.FindAsync($"{own}/a", never))!.Value.Length);
    }

    [Theory]
    [InlineData("insecure: false")]
    [InlineData("http_config: {{tls_config: {{ca_file: {0}, server_name: other.example.org}}}}")]
    public async Task AServerThatIsNotTrustedIsRefusedAtOnce(string line)
    {
        await using var store = Open(line);
        var error = await Assert.ThrowsAsync<ObjectStoreException>(async () => await store.FindAsync($"{own}/a", never));
        Assert.Contains("certificate", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("gave up after", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKeyOfOursEncryptsAndIsNeededToRead()
    {
        await using var store = Open("http_config: {{insecure_skip_verify: true}}\n  part_size: 5242880\n  sse_config: {{type: SSE-C, encryption_key: {1}}}");
        await CheckAsync(store);
        await using var keyless = Open("http_config: {{insecure_skip_verify: true}}");
        await Assert.ThrowsAsync<ObjectStoreException>(async () => await keyless.GetAsync($"{own}/small", 10, never));
    }

    [Fact]
    public async Task TheKeyServiceEncrypts()
    {
        await using var store = Open(
            "http_config: {{insecure_skip_verify: true}}\n  part_size: 5242880\n  sse_config: {{type: SSE-KMS, kms_key_id: " + CephServer.KmsKeyId + "}}");
        await CheckAsync(store);
        using var client = server.NewClient();
        var found = await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = server.Bucket, Key = $"{own}/big" });
        Assert.Equal(ServerSideEncryptionMethod.AWSKMS, found.ServerSideEncryptionMethod);
        Assert.Equal(CephServer.KmsKeyId, found.ServerSideEncryptionKeyManagementServiceKeyId);
    }

    [Fact]
    public async Task TheServersOwnKeyIsAskedFor()
    {
        // Ceph 16 knows no key of its own for this, so only what is sent is looked at.
        await using var store = Open("http_config: {{insecure_skip_verify: true}}\n  sse_config: {{type: SSE-S3}}");
        await Record.ExceptionAsync(async () => await store.PutAsync($"{own}/a", new byte[1], PutCondition.None, never));
        Assert.Contains(proxy.Heads, h => h.Contains("x-amz-server-side-encryption: AES256", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task TheRarerSettingsWork()
    {
        await using var store = Open(
            "http_config: {{insecure_skip_verify: true}}\n  part_size: 5242880\n  send_content_md5: true\n  list_objects_version: v1\n  put_user_metadata: {{owner: me}}");
        await CheckAsync(store);
        Assert.Equal(["big", "small"], await store.ListAsync($"{own}/", never).Select(o => o.Key[(own.Length + 1)..]).Order().ToListAsync());
        Assert.Contains(own, await store.ListFoldersAsync("", never).ToListAsync());
        Assert.All(proxy.Heads.Where(h => h.StartsWith("PUT", StringComparison.Ordinal)), h => Assert.Contains("Content-MD5:", h, StringComparison.OrdinalIgnoreCase));
        using var client = server.NewClient();
        foreach (var key in new[] { "small", "big" })
        {
            var found = await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = server.Bucket, Key = $"{own}/{key}" });
            Assert.Equal("me", found.Metadata["owner"]);
        }
    }

    [Fact]
    public async Task ABucketThatIsNotThereAndAKeyThatIsWrongAreErrors()
    {
        foreach (var (from, to, want) in new[] { (server.Bucket, "no-such-bucket", "NoSuchBucket"), (CephServer.SecretKey, "wrong-secret", "403") })
        {
            await using var store = Open("http_config: {{insecure_skip_verify: true}}", yaml => yaml.Replace(from, to, StringComparison.Ordinal));
            foreach (var call in new Func<Task>[]
            {
                async () => await store.FindAsync("a", never),
                async () => await store.GetAsync("a", 1, never),
                async () => await store.ListAsync("", never).ToListAsync(),
                async () => await store.PutAsync("a", new byte[1], PutCondition.None, never),
            })
            {
                var error = await Assert.ThrowsAsync<ObjectStoreException>(call);
                Assert.Contains(want, error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain("secret", error.ToString(), StringComparison.Ordinal);
            }
        }
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=metrics-tests", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("metrics.example.org");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
    }

    private async Task CheckAsync(IObjectStore store)
    {
        var content = ObjectStoreContract.Bytes((int)S3Options.MinPartBytes + 100, seed: 10);
        await store.PutAsync($"{own}/small", new byte[] { 1, 2, 3 }, PutCondition.Absent, never);
        await store.UploadAsync($"{own}/big", folder.Write("big", content), never);
        Assert.Equal([1, 2, 3], (await store.GetAsync($"{own}/small", 3, never))!.Content);
        var into = new byte[content.Length];
        Assert.Equal(content.Length, await store.ReadAsync($"{own}/big", 0, into, never));
        Assert.True(into.AsSpan().SequenceEqual(content));
    }

    private IObjectStore Open(string line, Func<string, string>? change = null)
    {
        var yaml = $"""
            type: S3
            config:
              bucket: {server.Bucket}
              endpoint: {proxy.Endpoint}
              access_key: {CephServer.AccessKey}
              secret_key: {CephServer.SecretKey}
              {string.Format(line, folder.Sub("ca.pem"), folder.Sub("key"))}

            """;
        return ObjectStoreConfiguration.Parse(change?.Invoke(yaml) ?? yaml, "test").Open(TimeProvider.System);
    }
}
