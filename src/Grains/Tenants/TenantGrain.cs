using Metrics.Cluster;
using Metrics.Model;
using Metrics.ObjectStore;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

/// <summary>Keeps a tenant's metadata for all gateways: in memory, and in the bucket some time later, since senders repeat it; elects replicas of its pairs of senders; shares out its places for series; and deletes the tenant.</summary>
internal sealed partial class TenantGrain(SiloContext silo, SiloDirectory directory, SiloServiceClient silos, TimeProvider time, ILogger<TenantGrain> logger) : Grain, ITenantGrain
{
    /// <summary>The largest book read: its text, and JSON around it.</summary>
    private const int MaxObjectBytes = 8 * MetadataBook.MaxBytes;

    private static readonly TimeSpan saveEvery = TimeSpan.FromMinutes(1);

    private readonly MetadataBook book = new();
    private readonly ReplicaElector elector = new(time);

    /// <summary>Versions of different activations differ, so that a gateway asks for all once after a move.</summary>
    private readonly long firstVersion = time.GetUtcNow().ToUnixTimeMilliseconds() << 20;

    private long savedVersion;
    private SeriesLedger? places;
    private Task<string?>? deleting;

    private string Key => $"{this.GetPrimaryKeyString()}/metadata.jsonl";

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken);
        savedVersion = book.Version;
        this.RegisterGrainTimer(SaveAsync, new GrainTimerCreationOptions(saveEvery, saveEvery));
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => SaveAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask<MetadataReply> ExchangeMetadataAsync(Payload heard, long knownVersion)
    {
        if (deleting is not null)
        {
            return ValueTask.FromResult(default(MetadataReply));
        }

        book.PutLines(heard.Bytes.Span);
        var version = firstVersion + book.Version;
        return ValueTask.FromResult(new MetadataReply(version, version == knownVersion ? default : new Payload(book.ToLines())));
    }

    /// <inheritdoc/>
    public ValueTask<ElectionReply> HearReplicaAsync(SightingMessage seen) => ValueTask.FromResult(new ElectionReply(elector.Hear(seen.ToSighting())));

    /// <inheritdoc/>
    public async ValueTask<GrantReply> GrantSeriesAsync(SiloAddress from, WishMessage wish)
    {
        places ??= new SeriesLedger(new SiloSeriesHolders(TenantId.Parse(this.GetPrimaryKeyString()), directory, silos, time), time);
        return new GrantReply(await places.AskAsync(from.ToParsableString(), wish.ToWish()));
    }

    /// <inheritdoc/>
    public async ValueTask<string?> DeleteAsync()
    {
        var problem = await (deleting ??= DeletedAsync());

        // What was heard before is the deleted tenant's, and goes with this activation.
        DeactivateOnIdle();
        return problem;
    }

    private async Task<string?> DeletedAsync()
    {
        try
        {
            var tenant = TenantId.Parse(this.GetPrimaryKeyString());
            await Task.Run(() => new TenantErasure(silo.Store).RunAsync(tenant, new SiloTenantHolders(directory, silos), CancellationToken.None));
            return null;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException or EpochLostException)
        {
            return e.Message;
        }
    }

    private async Task LoadAsync(CancellationToken cancellation)
    {
        try
        {
            if (await silo.Store.GetAsync(Key, MaxObjectBytes, cancellation) is { } stored)
            {
                book.PutLines(stored.Content);
            }
        }
        catch (ObjectStoreException e)
        {
            LogNotLoaded(this.GetPrimaryKeyString(), e.Message);
        }
    }

    /// <summary>What another activation saved meanwhile is taken in first; what falls between is said again.</summary>
    private async Task SaveAsync(CancellationToken cancellation)
    {
        if (book.Version == savedVersion || deleting is not null)
        {
            return;
        }

        await LoadAsync(cancellation);
        var version = book.Version;
        try
        {
            if (deleting is not null)
            {
                return;
            }

            await silo.Store.PutAsync(Key, book.ToLines(), PutCondition.None, cancellation);
            savedVersion = version;
        }
        catch (ObjectStoreException e)
        {
            LogNotSaved(this.GetPrimaryKeyString(), e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant}: the metadata of its metrics can't be read, and comes back as senders repeat it: {Problem}")]
    private partial void LogNotLoaded(string tenant, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "tenant {Tenant}: the metadata of its metrics can't be stored, and will be: {Problem}")]
    private partial void LogNotSaved(string tenant, string problem);
}
