using System.Buffers.Binary;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.Limits;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Tenancy;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.Storage;
using Metrics.Wire;

namespace Metrics.Gateway.RemoteRead;

/// <summary><c>/api/v1/read</c>: raw samples for another Prometheus, in one message or as a stream of chunks.</summary>
internal sealed class RemoteReadEndpoint(ICluster cluster, TenantResolver tenants, RemoteWriteOptions bodies, QueryOptions options, ByteBudget budget, PlainReads reads, QueryLimits limits, QueryMemory memory)
{
    /// <summary>Prometheus's bound for the bytes of one message of a stream.</summary>
    private const int FrameBytes = 1024 * 1024;

    private const int ChunkSamples = 120;

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(HttpRoute.Post, "/api/v1/read", "read", AnswerAsync) { Access = RouteAccess.Read }];

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            if (!cluster.Progress.IsReady)
            {
                throw WriteRefusal.Busy(HealthEndpoints.Describe(cluster.Progress));
            }

            var (id, status, error) = await tenants.ResolveAsync(context, context.RequestAborted);
            if (error is not null)
            {
                throw new WriteRefusal(status, error);
            }

            var request = await ReadAsync(context);
            foreach (var query in request.Queries)
            {
                limits.Admit(id, query.Matchers, query.Range);
            }

            var text = $"remote read {string.Join(", ", request.Queries.Select(static q => QueryLimits.TextOf(q.Matchers)))}";
            var range = request.Queries.Count == 0 ? TimeRange.All : new TimeRange(request.Queries.Min(static q => q.Range.MinMs), request.Queries.Max(static q => q.Range.MaxMs));
            await reads.RunAsync(id, text, range, async stop => await AnswerAsync(context, id, request, stop), context.RequestAborted);
        }
        catch (Exception e) when (context.Response.HasStarted && e is ApiException or QueryException or ShardUnavailableException)
        {
            // What was sent is no whole answer, and the client must see that.
            context.Abort();
        }
        catch (QueryException e)
        {
            await PlainText.AnswerAsync(context, ApiException.From(e).Status, e.Message + "\n");
        }
        catch (WriteRefusal e)
        {
            if (e.IsForNow)
            {
                ApiEndpoint.SetRetryAfter(context);
            }

            await PlainText.AnswerAsync(context, e.Status, e.Message + "\n");
        }
        catch (FormatException e)
        {
            await PlainText.AnswerAsync(context, StatusCodes.Status400BadRequest, e.Message + "\n");
        }
        catch (ApiException e)
        {
            ApiEndpoint.SetRetryAfter(context, e);
            await PlainText.AnswerAsync(context, e.Status, e.Message + "\n");
        }
        catch (Exception e) when (e is ShardUnavailableException or ObjectStoreException && !context.Response.HasStarted)
        {
            ApiEndpoint.SetRetryAfter(context);
            await PlainText.AnswerAsync(context, StatusCodes.Status503ServiceUnavailable, e.Message + "\n");
        }
    }

    private async Task<ReadRequest> ReadAsync(HttpContext context)
    {
        using var body = new WriteBody(budget, bodies);
        await body.ReadAsync(context.Request, context.RequestAborted);
        body.Decompress(WriteCompression.Snappy);
        return ReadRequest.Read(body.Message.Span);
    }

    private async Task<bool> AnswerAsync(HttpContext context, TenantId id, ReadRequest request, CancellationToken stop)
    {
        var tenant = await cluster.FindTenantAsync(id, stop);
        var bounds = reads.BoundsOf(id);
        var count = new ReadCount(bounds);
        using var lease = memory.Open(bounds);
        await (request.Response == ReadResponseType.StreamedXorChunks ? StreamAsync(context, tenant, request, count, stop) : AnswerWholeAsync(context, tenant, request, count, bounds, lease, stop));
        reads.CountSamples(id, count.Samples);
        return true;
    }

    private async Task AnswerWholeAsync(HttpContext context, ITenant? tenant, ReadRequest request, ReadCount count, QueryBounds bounds, MemoryLease lease, CancellationToken stop)
    {
        using var answer = new ReadResponseWriter();
        var counted = 0L;
        foreach (var query in request.Queries)
        {
            answer.BeginResult();
            if (tenant is not null)
            {
                await foreach (var series in TenantSeries.ReadAsync(tenant, query.Matchers, query.Range, stop))
                {
                    count.Add(series);
                    CheckSamples(count.Samples, bounds);
                    answer.AddSeries(series.Labels, series.Samples);
                    lease.Take(answer.Written.Length - counted);
                    counted = answer.Written.Length;
                }
            }

            answer.EndResult();
        }

        lease.Take(answer.Written.Length);
        var compressed = new byte[SnappyEncoder.MaxEncodedLength(answer.Written.Length)];
        var length = SnappyEncoder.Encode(answer.Written, compressed);
        context.Response.ContentType = "application/x-protobuf";
        context.Response.Headers.ContentEncoding = "snappy";
        await context.Response.Body.WriteAsync(compressed.AsMemory(0, length), stop);
    }

    /// <summary>Of a stream no more is held than a series.</summary>
    private void CheckSamples(long samples, QueryBounds bounds)
    {
        if (samples > options.MaxSamples)
        {
            throw new WriteRefusal(StatusCodes.Status400BadRequest, $"exceeded sample limit ({options.MaxSamples}): ask for less, or accept STREAMED_XOR_CHUNKS");
        }

        if (bounds.MaxSamples > 0 && samples > bounds.MaxSamples)
        {
            throw new WriteRefusal(
                StatusCodes.Status422UnprocessableEntity, $"the read has more samples than the limit max_samples_per_query of {bounds.MaxSamples} of {bounds.Whose}: ask for less, or accept STREAMED_XOR_CHUNKS");
        }
    }

    private static async Task StreamAsync(HttpContext context, ITenant? tenant, ReadRequest request, ReadCount count, CancellationToken stop)
    {
        context.Response.ContentType = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
        using var frame = new ChunkFrame();
        var encoder = new ChunkRun(ChunkSamples);
        for (var query = 0; query < request.Queries.Count; query++)
        {
            if (tenant is null)
            {
                continue;
            }

            await foreach (var series in TenantSeries.ReadAsync(tenant, request.Queries[query].Matchers, request.Queries[query].Range, stop))
            {
                count.Add(series);
                frame.Chunks.Clear();
                encoder.Write(series.Samples, frame);
                for (var at = 0; at < frame.Chunks.Count;)
                {
                    at = frame.Write(series.Labels, query, at, context.Response.BodyWriter);
                    await context.Response.BodyWriter.FlushAsync(stop);
                }
            }
        }
    }

    /// <summary>Collects the chunks of a series and writes them as messages, each with its size and checksum before it.</summary>
    private sealed class ChunkFrame : IChunkSink, IDisposable
    {
        private readonly ReadResponseWriter message = new();

        public List<BlockChunk> Chunks { get; } = [];

        public void AddChunk(ChunkEncoding encoding, long firstMs, long lastMs, ReadOnlySpan<byte> data) => Chunks.Add(new BlockChunk(encoding, firstMs, lastMs, data.ToArray()));

        /// <summary>Writes chunks from one on, as many as fit; gives the first left over.</summary>
        public int Write(Labels labels, int query, int from, System.Buffers.IBufferWriter<byte> to)
        {
            message.BeginChunked(labels);
            var at = from;
            while (at < Chunks.Count && (at == from || message.Written.Length + Chunks[at].Data.Length + 64 < FrameBytes))
            {
                message.AddChunk((byte)Chunks[at].Encoding, Chunks[at].MinMs, Chunks[at].MaxMs, Chunks[at].Data.Span);
                at++;
            }

            message.EndChunked(query);
            var written = message.Written;
            var span = to.GetSpan(written.Length + Varint.MaxBytes + sizeof(uint));
            var length = Varint.Write(span, (ulong)written.Length);
            BinaryPrimitives.WriteUInt32BigEndian(span[length..], Crc32C.Of(written));
            written.CopyTo(span[(length + sizeof(uint))..]);
            to.Advance(length + sizeof(uint) + written.Length);
            return at;
        }

        public void Dispose() => message.Dispose();
    }
}
