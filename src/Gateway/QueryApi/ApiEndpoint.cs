using System.IO.Compression;
using System.IO.Pipelines;
using Metrics.Cluster;
using Metrics.Gateway.Health;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL;
using Metrics.PromQL.Parsing;

namespace Metrics.Gateway.QueryApi;

/// <summary>A request of the query API, parsed as far as all of them are alike.</summary>
/// <param name="Context">The HTTP request.</param>
/// <param name="Parameters">Its parameters.</param>
/// <param name="Tenant">Whose data it is about.</param>
internal sealed record ApiRequest(HttpContext Context, RequestParameters Parameters, TenantId Tenant)
{
    /// <summary>Cancelled when the client goes away.</summary>
    public CancellationToken Aborted => Context.RequestAborted;
}

/// <summary>What an endpoint of the query API does: it gives an answer or throws <see cref="ApiException"/>.</summary>
internal delegate ValueTask<ApiAnswer> ApiHandler(ApiRequest request);

/// <summary>Makes an HTTP endpoint of a handler: readiness, tenant, parameters, envelope, compression and errors.</summary>
internal sealed class ApiEndpoint(ICluster cluster, TenantResolver tenants)
{
    /// <summary>Seconds until a reader may come back: as long as a queue of queries, or a shard on its way to another silo, takes to be gone.</summary>
    internal const string RetryAfterSeconds = "5";

    private static readonly StreamPipeWriterOptions BufferedWrites = new(minimumBufferSize: 32 * 1024, leaveOpen: true);

    /// <summary>The HTTP endpoint of a handler. One that needs no data answers also while logs are replayed.</summary>
    public Func<HttpContext, Task> Of(ApiHandler handler, bool needsData = true) => context => AnswerAsync(context, handler, needsData);

    private async Task AnswerAsync(HttpContext context, ApiHandler handler, bool needsData)
    {
        ApiAnswer answer;
        try
        {
            answer = await handler(await ReadAsync(context, needsData));
        }
        catch (ApiException e)
        {
            await RefuseAsync(context, e);
            return;
        }
        catch (QueryException e)
        {
            await RefuseAsync(context, ApiException.From(e));
            return;
        }
        catch (PromQLParseException e)
        {
            await RefuseAsync(context, ApiException.InvalidParameter("query", e.Message));
            return;
        }
        catch (Exception e) when (e is ShardUnavailableException or ObjectStoreException)
        {
            await RefuseAsync(context, new ApiException(ApiErrorType.Unavailable, e.Message, e));
            return;
        }

        if (answer == ApiAnswer.NoContent)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        if (answer.ContentType is { } type)
        {
            context.Response.ContentType = type;
            if (answer.ContentBytes is { } bytes)
            {
                await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
                return;
            }

            await context.Response.WriteAsync(answer.Content, context.RequestAborted);
            return;
        }

        using (answer)
        {
            if (answer.Warnings.Count > 0)
            {
                // As Thanos: what lacks something, or may be wrong, is nothing for a cache on the way.
                context.Response.Headers.CacheControl = "no-store";
            }

            await WriteAsync(context, 200, writer => answer.IsBare ? answer.WriteDataAsync(writer, context.RequestAborted) : Envelope.WriteSuccessAsync(writer, answer, context.RequestAborted));
        }
    }

    private async ValueTask<ApiRequest> ReadAsync(HttpContext context, bool needsData)
    {
        var progress = cluster.Progress;
        if (needsData && !progress.IsReady)
        {
            throw new ApiException(ApiErrorType.Unavailable, HealthEndpoints.Describe(progress));
        }

        var (tenant, status, error) = await tenants.ResolveAsync(context, context.RequestAborted);
        if (error is not null)
        {
            throw new ApiException(status switch { StatusCodes.Status401Unauthorized => ApiErrorType.Unauthorized, StatusCodes.Status403Forbidden => ApiErrorType.Forbidden, _ => ApiErrorType.BadData }, error);
        }

        RequestSpan.OnTenant(tenant);
        return new ApiRequest(context, await RequestParameters.ReadAsync(context.Request, context.RequestAborted), tenant);
    }

    private static Task RefuseAsync(HttpContext context, ApiException error)
    {
        SetRetryAfter(context, error);
        return WriteAsync(context, error.Status, writer =>
        {
            Envelope.WriteError(writer, error);
            return ValueTask.CompletedTask;
        });
    }

    /// <summary>Says when to come back to whoever was turned away before anything was done for him; a query that took too long would again.</summary>
    internal static void SetRetryAfter(HttpContext context, ApiException error)
    {
        if (error.Type is ApiErrorType.Unavailable or ApiErrorType.TooManyRequests)
        {
            SetRetryAfter(context);
        }
    }

    /// <summary>Says when to come back to a reader who is told 503.</summary>
    internal static void SetRetryAfter(HttpContext context) => context.Response.Headers.RetryAfter = RetryAfterSeconds;

    private static async Task WriteAsync(HttpContext context, int status, Func<PipeWriter, ValueTask> writeAsync)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        if (!AcceptsGzip(context.Request))
        {
            await WriteAsync(context.Response.Body, writeAsync);
            return;
        }

        context.Response.Headers.ContentEncoding = "gzip";
        context.Response.Headers.Append("Vary", "Accept-Encoding");
        await using var gzip = new GZipStream(context.Response.Body, CompressionLevel.Fastest, leaveOpen: true);
        await WriteAsync(gzip, writeAsync);
    }

    /// <summary>Through a writer of its own: the server's takes a lock for each of the many small pieces that JSON is made of.</summary>
    private static async Task WriteAsync(Stream to, Func<PipeWriter, ValueTask> writeAsync)
    {
        var writer = PipeWriter.Create(to, BufferedWrites);
        await writeAsync(writer);
        await writer.CompleteAsync();
    }

    private static bool AcceptsGzip(HttpRequest request)
    {
        foreach (var header in request.Headers.AcceptEncoding)
        {
            foreach (var range in header.AsSpan().Split(','))
            {
                var coding = header.AsSpan()[range].Trim();
                var semicolon = coding.IndexOf(';');
                var quality = semicolon < 0 ? "" : coding[(semicolon + 1)..].Trim();
                var name = semicolon < 0 ? coding : coding[..semicolon].Trim();
                if (name.Equals("gzip", StringComparison.OrdinalIgnoreCase) && quality is not ("q=0" or "q=0.0" or "q=0.00" or "q=0.000"))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
