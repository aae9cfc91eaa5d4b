using System.Diagnostics;
using System.Text;
using Amazon.S3.Model;
using Xunit;

namespace Metrics.ObjectStore.Tests;

/// <summary>The S3 store over a real server and a bad network.</summary>
[Collection(CephCollection.Name)]
[Trait("Category", CephServer.Category)]
public sealed class S3FaultTests : IAsyncLifetime
{
    private static readonly CancellationToken never = CancellationToken.None;
    private readonly string own = Guid.NewGuid().ToString("N");
    private readonly CephServer server;
    private readonly FaultyProxy proxy;
    private readonly TemporaryFolder folder = new();

    public S3FaultTests(CephServer server)
    {
        this.server = server;
        proxy = new FaultyProxy(server.Port);
    }

    public static IEnumerable<object[]> OperationsAndFaults =>
        from operation in Operations.Keys
        from fault in Enum.GetValues<Fault>()
        select new object[] { operation, fault };

    private static Dictionary<string, Func<S3FaultTests, IObjectStore, Task>> Operations => new(StringComparer.Ordinal)
    {
        ["find"] = async (t, store) => Assert.Equal(1000, (await store.FindAsync(t.Key("there"), never))!.Value.Length),
        ["find nothing"] = async (t, store) => Assert.Null(await store.FindAsync(t.Key("none"), never)),
        ["get"] = async (t, store) => Assert.Equal(Content, (await store.GetAsync(t.Key("there"), 1000, never))!.Content),
        ["read"] = async (t, store) =>
        {
            var into = new byte[500];
            Assert.Equal(400, await store.ReadAsync(t.Key("there"), 600, into, never));
            Assert.True(into.AsSpan(0, 400).SequenceEqual(Content.AsSpan(600)));
        },
        ["put"] = async (t, store) => await store.PutAsync(t.Key("put"), Content, PutCondition.None, never),
        ["upload"] = async (t, store) => await store.UploadAsync(t.Key("up"), t.folder.Write("small", Content), never),
        ["delete"] = async (t, store) => await store.DeleteAsync(t.Key("there"), never),
        ["list"] = async (t, store) => Assert.Single(await store.ListAsync($"{t.own}/", never).ToListAsync()),
        ["list folders"] = async (t, store) => Assert.Contains(t.own, await store.ListFoldersAsync("", never).ToListAsync()),
    };

    private static byte[] Content { get; } = ObjectStoreContract.Bytes(1000, seed: 5);

    public async Task InitializeAsync()
    {
        await using var store = S3ObjectStore.Open(server.Options(), TimeProvider.System);
        await store.PutAsync(Key("there"), Content, PutCondition.None, never);
    }

    public async Task DisposeAsync()
    {
        await proxy.DisposeAsync();
        folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(OperationsAndFaults))]
    public async Task AnOperationSurvivesAFewFaults(string operation, Fault fault)
    {
        await using var store = Open(tryTimeout: fault is Fault.Hang or Fault.HangAfter or Fault.Stall ? 0.3 : 20);
        proxy.FailNext(2, fault);
        await Operations[operation](this, store);
        Assert.True(fault == Fault.Slow || proxy.Heads.Count >= (fault == Fault.None ? 1 : 2), $"{proxy.Heads.Count} requests");
    }

    [Theory]
    [MemberData(nameof(OperationsAndFaults))]
    public async Task UnderLastingFaultsItFailsInTimeAndSaysWhy(string operation, Fault fault)
    {
        if (fault is Fault.None or Fault.Slow)
        {
            return;
        }

        await using var store = Open(tryTimeout: 0.2, deadline: 0.5, tries: 100);
        proxy.Choose = _ => fault;
        var watch = Stopwatch.StartNew();
        var error = await Record.ExceptionAsync(() => Operations[operation](this, store));
        if (fault is Fault.Truncate && error is null)
        {
            // An answer that has no body to cut.
            Assert.Contains(operation, new[] { "find", "delete", "put", "upload", "find nothing" });
            return;
        }

        Assert.NotNull(error);
        Assert.True(error is ObjectStoreException and not ObjectNotFoundException and not ConditionFailedException, error.ToString());
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(15));
        Assert.StartsWith($"s3://{server.Bucket}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("gave up after", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(CephServer.SecretKey, error.ToString(), StringComparison.Ordinal);
        Assert.Contains(
            fault switch
            {
                Fault.Error or Fault.ErrorAfter => "500",
                Fault.SlowDown => "503",
                Fault.Hang or Fault.HangAfter or Fault.Stall => "no answer",
                _ => "",
            },
            error.Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Fault.ErrorAfter)]
    [InlineData(Fault.ResetAfter)]
    [InlineData(Fault.HangAfter)]
    public async Task AConditionalPutWhoseAnswerWasLostIsReportedAsUnknownAndNeverTwice(Fault fault)
    {
        await using var store = Open(tryTimeout: fault == Fault.HangAfter ? 0.3 : 20);
        proxy.FailNext(1, fault);
        var absent = await Assert.ThrowsAsync<ObjectStoreException>(
            async () => await store.PutAsync(Key("new"), "mine"u8.ToArray(), PutCondition.Absent, never));
        Assert.Contains("unknown whether", absent.Message, StringComparison.Ordinal);
        var stored = (await store.GetAsync(Key("new"), 100, never))!;
        Assert.Equal("mine", Encoding.UTF8.GetString(stored.Content));

        proxy.FailNext(1, fault);
        var changed = await Assert.ThrowsAsync<ObjectStoreException>(
            async () => await store.PutAsync(Key("new"), "changed"u8.ToArray(), PutCondition.Unchanged(stored.Version), never));
        Assert.Contains("unknown whether", changed.Message, StringComparison.Ordinal);
        Assert.Equal("changed", Encoding.UTF8.GetString((await store.GetAsync(Key("new"), 100, never))!.Content));
    }

    [Theory]
    [InlineData(Fault.Error)]
    [InlineData(Fault.SlowDown)]
    [InlineData(Fault.Reset)]
    [InlineData(Fault.Hang)]
    public async Task AConditionalPutThatTheServerNeverSawIsSimplyTriedAgain(Fault fault)
    {
        await using var store = Open(tryTimeout: fault == Fault.Hang ? 0.3 : 20);
        proxy.FailNext(2, fault);
        await store.PutAsync(Key("new"), "mine"u8.ToArray(), PutCondition.Absent, never);
        Assert.Equal("mine", Encoding.UTF8.GetString((await store.GetAsync(Key("new"), 100, never))!.Content));
    }

    [Fact]
    public async Task CompareAndSwapLosesNothingOnABadNetwork()
    {
        const int Seed = 20_261_121;
        var random = new Random(Seed);
        Fault[] faults = [Fault.Error, Fault.SlowDown, Fault.ErrorAfter, Fault.Reset, Fault.ResetAfter, Fault.HangAfter, Fault.Truncate];
        await using var store = Open(tryTimeout: 0.5);
        await store.PutAsync(Key("ledger"), ReadOnlyMemory<byte>.Empty, PutCondition.Absent, never);
        proxy.Choose = _ =>
        {
            lock (random)
            {
                return random.Next(3) == 0 ? faults[random.Next(faults.Length)] : Fault.None;
            }
        };
        await Ledger.CheckAsync([.. Enumerable.Repeat<IObjectStore>(store, 6)], Key("ledger"), linesEach: 6);
    }

    [Theory]
    [InlineData(Fault.Error)]
    [InlineData(Fault.ErrorAfter)]
    [InlineData(Fault.ResetAfter)]
    [InlineData(Fault.Truncate)]
    public async Task AnUploadInPartsSurvivesAFaultAtEachRequest(Fault fault)
    {
        var content = ObjectStoreContract.Bytes((int)S3Options.MinPartBytes + 1000, seed: 6);
        var path = folder.Write("big", content);
        foreach (var step in new[] { "POST", "partNumber=1&", "partNumber=2&", "POST", "HEAD" })
        {
            // The second POST is the completion.
            var completion = step == "POST" && proxy.Heads.Count > 0;
            var left = 1;
            proxy.Choose = head => Matches(head, step, completion) && Interlocked.Decrement(ref left) >= 0 ? fault : Fault.None;
            await using var store = Open(tryTimeout: 20);
            await store.UploadAsync(Key("big"), path, never);
            Assert.True(left < 0 || fault == Fault.Truncate || left == 0, $"{step} was not met");
            var into = new byte[content.Length + 1];
            Assert.Equal(content.Length, await store.ReadAsync(Key("big"), 0, into, never));
            Assert.True(into.AsSpan(0, content.Length).SequenceEqual(content));
        }
    }

    [Fact]
    public async Task AnUploadInPartsThatFailsLeavesNothing()
    {
        var path = folder.Write("big", ObjectStoreContract.Bytes((int)S3Options.MinPartBytes + 1000, seed: 6));
        await using var store = Open(tryTimeout: 20, tries: 3);
        proxy.Choose = static head => head.Contains("partNumber=2", StringComparison.Ordinal) ? Fault.Error : Fault.None;
        var error = await Assert.ThrowsAsync<ObjectStoreException>(async () => await store.UploadAsync(Key("big"), path, never));
        Assert.Contains("part 2 of 2", error.Message, StringComparison.Ordinal);
        Assert.Null(await store.FindAsync(Key("big"), never));
        using var client = server.NewClient();
        var uploads = await client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = server.Bucket, Prefix = Key("") });
        Assert.Empty(uploads.MultipartUploads ?? []);
    }

    [Fact]
    public async Task NothingIsListedTwiceOrLeftOutOverManyPages()
    {
        await using var store = Open(tryTimeout: 20);
        await Parallel.ForEachAsync(Enumerable.Range(0, 1100), async (i, stop) =>
            await store.PutAsync(Key($"many/{i:d4}"), ReadOnlyMemory<byte>.Empty, PutCondition.None, stop));
        var random = new Random(7);
        proxy.Choose = _ =>
        {
            lock (random)
            {
                return random.Next(2) == 0 ? Fault.Truncate : Fault.None;
            }
        };
        var keys = await store.ListAsync(Key("many/"), never).Select(o => o.Key).ToListAsync();
        Assert.Equal(Enumerable.Range(0, 1100).Select(i => Key($"many/{i:d4}")), keys.Order(StringComparer.Ordinal));
    }

    private static bool Matches(string head, string step, bool completion) =>
        step == "POST" ? head.StartsWith("POST", StringComparison.Ordinal) && head.Contains("uploadId=", StringComparison.Ordinal) == completion
        : head.StartsWith(step, StringComparison.Ordinal) || head.Contains(step, StringComparison.Ordinal);

    private string Key(string key) => $"{own}/{key}";

    private S3ObjectStore Open(double tryTimeout, double deadline = 60, int tries = 10)
    {
        var options = server.Options(endpoint: proxy.Endpoint);
        return S3ObjectStore.Open(
            new S3Options
            {
                Bucket = options.Bucket,
                Endpoint = options.Endpoint,
                Insecure = true,
                AccessKey = options.AccessKey,
                SecretKey = options.SecretKey,
                PartBytes = options.PartBytes,
                FirstPause = options.FirstPause,
                LongestPause = options.LongestPause,
                TryTimeout = TimeSpan.FromSeconds(tryTimeout),
                Deadline = TimeSpan.FromSeconds(deadline),
                MaxTries = tries,
            },
            TimeProvider.System,
            new Random(1));
    }
}
