using System.Text.Json;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.Limits;
using Metrics.Gateway.QueryApi;
using Metrics.Gateway.Security;
using Metrics.Gateway.Server;
using Metrics.Gateway.Tenancy;
using Metrics.Model;
using Metrics.Storage;
using Microsoft.AspNetCore.Http.Features;

namespace Metrics.Gateway.BlockUpload;

/// <summary>Mimir's <c>/api/v1/upload/block/ULID/start</c>, <c>files</c>, <c>finish</c> and <c>check</c>: blocks of other programs become a tenant's while the server runs. <c>mimirtool backfill</c> speaks it.</summary>
/// <remarks>For administrators, and for whoever writes to a tenant that has <c>compactor_block_upload_enabled</c>: blocks pass by all limits on series and samples.</remarks>
internal sealed class BlockUploadEndpoints(ICluster cluster, TenantResolver tenants, LimitsTable limits, BlockUploads uploads)
{
    private const string Prefix = "/api/v1/upload/block/";
    private const int MetaBytesMax = 1 << 20;

    private static readonly string[] getPost = ["GET", "POST"];

    /// <summary>The routes.</summary>
    public IEnumerable<HttpRoute> Routes => [new(getPost, Prefix + "{*rest}", "upload_block", AnswerAsync) { Access = RouteAccess.Write }];

    private async Task AnswerAsync(HttpContext context)
    {
        try
        {
            await AnswerAsync(context, ((string)context.Items[RequestPipeline.PathSegment]!).Split('/'));
        }
        catch (UploadRefusedException e)
        {
            await RefuseAsync(context, e.Status, e.Message);
        }
        catch (InvalidDataException e)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, e.Message);
        }
        catch (Exception e) when (e is ShardUnavailableException || (e is IOException and not BadHttpRequestException && !context.RequestAborted.IsCancellationRequested))
        {
            ApiEndpoint.SetRetryAfter(context);
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, e.Message);
        }
    }

    private async Task AnswerAsync(HttpContext context, string[] path)
    {
        var isGet = HttpMethods.IsGet(context.Request.Method);
        if (path is not [var name, "start" or "files" or "finish" or "check"] || (path[1] == "check") != isGet)
        {
            throw new UploadRefusedException(StatusCodes.Status404NotFound, "404 page not found");
        }

        var tenant = Admit(context);
        if (!Ulid.TryParse(name, out var block))
        {
            throw new UploadRefusedException(StatusCodes.Status400BadRequest, "invalid block ID");
        }

        await (path[1] switch
        {
            "start" => StartAsync(context, tenant, block),
            "files" => TakeAsync(context, tenant, block),
            "finish" => FinishAsync(context, tenant, block),
            _ => CheckAsync(context, tenant, block),
        });
    }

    private TenantId Admit(HttpContext context)
    {
        if (!cluster.Progress.IsReady)
        {
            throw new UploadRefusedException(StatusCodes.Status503ServiceUnavailable, HealthEndpoints.Describe(cluster.Progress));
        }

        if (!tenants.TryResolve(context, out var tenant, out var status, out var error))
        {
            throw new UploadRefusedException(status, error);
        }

        return Caller.Of(context).Identity.IsAdmin || limits.Of(tenant).CompactorBlockUploadEnabled
            ? tenant
            : throw new UploadRefusedException(StatusCodes.Status400BadRequest, "block upload is disabled");
    }

    private async Task StartAsync(HttpContext context, TenantId tenant, Ulid block)
    {
        await CheckStageAsync(tenant, block, mustBeUploading: false, context.RequestAborted);
        Allow(context, MetaBytesMax);
        var json = await ReadAsync(context.Request, context.RequestAborted);
        BlockMeta meta;
        try
        {
            meta = BlockMeta.Parse(json, "the request");
        }
        catch (InvalidDataException e)
        {
            throw new UploadRefusedException(StatusCodes.Status400BadRequest, $"malformed request body: {e.Message}");
        }

        var most = limits.Of(tenant).CompactorBlockUploadMaxBlockSizeBytes.Bytes;
        if (most > 0 && (meta.Thanos?.Files ?? []).Aggregate(0.0, static (sum, f) => sum + (f.SizeBytes ?? 0)) > most)
        {
            throw new UploadRefusedException(StatusCodes.Status413PayloadTooLarge, $"block exceeds the maximum block size limit of {most} bytes (compactor_block_upload_max_block_size_bytes of tenant {tenant})");
        }

        await uploads.BeginAsync(tenant, meta with { Ulid = block }, context.RequestAborted);
    }

    private async Task TakeAsync(HttpContext context, TenantId tenant, Ulid block)
    {
        var path = context.Request.Query["path"].ToString();
        if (path.Length == 0)
        {
            throw new UploadRefusedException(StatusCodes.Status400BadRequest, "missing or invalid file path");
        }

        await CheckStageAsync(tenant, block, mustBeUploading: true, context.RequestAborted);
        var size = await uploads.SizeAsync(tenant, block, path, context.RequestAborted) ?? throw new UploadRefusedException(StatusCodes.Status400BadRequest, "unexpected file");
        if (path == BlockMeta.FileName || context.Request.ContentLength is { } length && length != size)
        {
            throw new UploadRefusedException(StatusCodes.Status400BadRequest, path == BlockMeta.FileName ? $"{path} is not allowed" : "file size doesn't match meta.json");
        }

        Allow(context, size);
        await uploads.PutAsync(tenant, block, path, size, context.Request.Body, context.RequestAborted);
    }

    private async Task FinishAsync(HttpContext context, TenantId tenant, Ulid block)
    {
        await CheckStageAsync(tenant, block, mustBeUploading: true, context.RequestAborted);
        if (!await uploads.FinishAsync(tenant, block, context.RequestAborted))
        {
            context.Response.Headers.RetryAfter = "30";
            throw new UploadRefusedException(StatusCodes.Status429TooManyRequests, $"too many block upload validations in progress, limit is {BlockUploads.WaitingMax}");
        }
    }

    private async Task CheckAsync(HttpContext context, TenantId tenant, Ulid block)
    {
        var state = await uploads.StateAsync(tenant, block, context.RequestAborted);
        if (state.Stage == UploadStage.None)
        {
            throw new UploadRefusedException(StatusCodes.Status404NotFound, "block doesn't exist");
        }

        var result = Setting.SnakeCase(state.Stage.ToString());
        var json = state.Error.Length == 0 ? JsonSerializer.SerializeToUtf8Bytes(new { result }) : JsonSerializer.SerializeToUtf8Bytes(new { result, error = state.Error });
        context.Response.ContentType = "application/json";
        await context.Response.Body.WriteAsync(json, context.RequestAborted);
    }

    private async Task CheckStageAsync(TenantId tenant, Ulid block, bool mustBeUploading, CancellationToken cancellation)
    {
        switch ((await uploads.StateAsync(tenant, block, cancellation)).Stage)
        {
            case UploadStage.Complete: throw new UploadRefusedException(StatusCodes.Status409Conflict, "block already exists");
            case UploadStage.Validating: throw new UploadRefusedException(StatusCodes.Status400BadRequest, "block validation in progress");
            case UploadStage.Failed when mustBeUploading: throw new UploadRefusedException(StatusCodes.Status400BadRequest, "block validation failed");
            case UploadStage.None when mustBeUploading: throw new UploadRefusedException(StatusCodes.Status404NotFound, "block upload not started");
        }
    }

    /// <summary>Lets a body be larger, or smaller, than those of remote write.</summary>
    private static void Allow(HttpContext context, long bytes)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } most)
        {
            most.MaxRequestBodySize = bytes;
        }
    }

    private static async Task<byte[]> ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancellation);
        return body.ToArray();
    }

    private static Task RefuseAsync(HttpContext context, int status, string message) => PlainText.AnswerAsync(context, status, message + "\n");
}
