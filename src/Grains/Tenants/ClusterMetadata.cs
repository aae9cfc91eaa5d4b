using System.Buffers;
using Metrics.Cluster;

namespace Metrics.Grains;

/// <summary>A gateway's copy of a tenant's metadata: answers at once, and exchanges news with the tenant's grain now and then.</summary>
internal sealed class ClusterMetadata(ITenantGrain grain) : IMetricMetadata
{
    private readonly MetadataBook book = new();
    private readonly Lock gate = new();
    private ArrayBufferWriter<byte> heard = new();
    private long knownVersion;

    /// <inheritdoc/>
    public void Put(string family, MetricMetadata metadata)
    {
        if (book.TryPut(family, metadata, out var line))
        {
            lock (gate)
            {
                heard.Write(line);
                heard.Write("\n"u8);
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, IReadOnlyList<MetricMetadata>> Get(string? family, int limit, int limitPerFamily) => book.Get(family, limit, limitPerFamily);

    /// <summary>Sends what was heard and takes what others did. What can't be sent is sent with the next.</summary>
    public async Task ExchangeAsync()
    {
        ArrayBufferWriter<byte> news;
        lock (gate)
        {
            news = heard;
            heard = new ArrayBufferWriter<byte>();
        }

        try
        {
            var reply = await grain.ExchangeMetadataAsync(new Payload(news.WrittenMemory), knownVersion);
            book.PutLines(reply.Lines.Bytes.Span);
            knownVersion = reply.Version;
        }
        catch (Exception e) when (e is OrleansException or TimeoutException)
        {
            lock (gate)
            {
                heard.Write(news.WrittenSpan);
            }
        }
    }
}
