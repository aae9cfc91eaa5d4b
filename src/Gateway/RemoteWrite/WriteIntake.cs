using System.Globalization;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Health;
using Metrics.Gateway.Limits;
using Metrics.Gateway.Security;
using Metrics.Gateway.Telemetry;
using Metrics.Gateway.Tenancy;
using Metrics.Model;

namespace Metrics.Gateway.RemoteWrite;

/// <summary>What every write passes, whatever its format: readiness, tenant, limits, memory, appending, counting. Thread-safe.</summary>
/// <remarks>Each step throws <see cref="WriteRefusal"/> when the request is not taken; what is cheapest to refuse is to be asked first.</remarks>
internal sealed partial class WriteIntake(
    ICluster cluster, TenantResolver tenants, WriteAppender appender, RemoteWriteOptions options, ByteBudget budget, IngestLimits limits, GatewayInstruments instruments, string tenantLabel)
{
    /// <summary>The most bytes of a message.</summary>
    public ByteSize MaxMessage => options.MaxDecompressed;

    /// <summary>Answers a write: as <paramref name="write"/> does or, when it is not taken, as the format has it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="format">What it is called in the log.</param>
    /// <param name="write">Takes it.</param>
    /// <param name="refuse">Answers with the status, why, and when to come back.</param>
    /// <param name="logger">The endpoint's.</param>
    public static async Task AnswerAsync(HttpContext context, string format, Func<HttpContext, Task> write, Func<HttpContext, WriteRefusal, Task> refuse, ILogger logger)
    {
        try
        {
            await write(context);
        }
        catch (WriteRefusal e)
        {
            if (e.InnerException is ShardUnavailableException)
            {
                LogUnavailable(logger, format, e.Message);
            }

            await refuse(context, e);
        }
        catch (ShardUnavailableException e)
        {
            LogUnavailable(logger, format, e.Message);
            await refuse(context, WriteRefusal.Busy(e.Message, e));
        }
    }

    /// <summary>The tenant of a request that may be taken now.</summary>
    public TenantId Admit(HttpContext context)
    {
        var progress = cluster.Progress;
        if (!progress.IsReady)
        {
            throw WriteRefusal.Busy(HealthEndpoints.Describe(progress));
        }

        return tenants.TryResolve(context, out var tenant, out var status, out var error) ? tenant : throw new WriteRefusal(status, error);
    }

    /// <summary>Reads and decompresses the body, a message of gRPC when it is framed, which may be not compressed after all; the caller disposes it.</summary>
    public async ValueTask<WriteBody> ReadAsync(HttpContext context, TenantId tenant, WriteCompression compression, bool isFramed = false)
    {
        var body = new WriteBody(budget, options);
        try
        {
            limits.AdmitRequest(tenant, context.Request.ContentLength);
            await body.ReadAsync(context.Request, context.RequestAborted);
            limits.AdmitSize(tenant, body.SentBytes);
            using (await ProcessorShares.OfProcess.EnterAsync(tenant, ProcessorUse.Write, context.RequestAborted))
            {
                body.Decompress(isFramed && !body.Unframe() ? WriteCompression.None : compression);
            }

            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    /// <summary>Appends all samples of a message, to the tenants that its series name where they may; returns when those accepted are durable.</summary>
    /// <exception cref="WriteRefusal">Some tenant's part is not taken.</exception>
    /// <exception cref="ShardUnavailableException">Some shard cannot take writes now.</exception>
    public async ValueTask<TakenWrite> AppendAsync(Caller caller, TenantId tenant, WriteReader reader, ReadOnlyMemory<byte> message, int sentBytes)
    {
        if (tenantLabel.Length > 0)
        {
            return await AppendSplitAsync(caller, tenant, reader, message, sentBytes);
        }

        // Not tied to the client's presence: a half-appended request is what retries are for, but finishing it is cheaper.
        var (outcome, series) = await appender.AppendAsync(tenant, reader, message, sentBytes, CancellationToken.None);
        Count(tenant, outcome, series, sentBytes);
        return new TakenWrite(outcome, RejectionText.Of([(tenant, limits.Limits.Of(tenant), outcome.Rejections)], outcome.Accepted, tenant, options));
    }

    /// <summary>
    /// Appends each tenant's part; one that is refused whole refuses the request once the others are stored, which a retry does not double. Of several refusals one that may be different next time is told, for
    /// after one that can't a sender drops the request.
    /// </summary>
    private async ValueTask<TakenWrite> AppendSplitAsync(Caller caller, TenantId own, WriteReader reader, ReadOnlyMemory<byte> message, int sentBytes)
    {
        using var split = new TenantSplit(tenantLabel, own);
        await appender.ReadAsync(own, reader, message, new WriteSink(split, split, limits.Limits.Of(own).MaxMetadataLength), CancellationToken.None);
        foreach (var tenant in split.Tenants)
        {
            if (!tenants.TryAdmit(tenant, caller, out var status, out var error))
            {
                throw new WriteRefusal(status, error);
            }
        }

        foreach (var tenant in split.Tenants)
        {
            var (opened, batches) = await appender.BeginAsync(tenant, message, CancellationToken.None);
            split.Open(opened, batches);
        }

        await appender.ReadAsync(own, reader, message, new WriteSink(split, split, limits.Limits.Of(own).MaxMetadataLength), CancellationToken.None);
        var all = split.Parts.Sum(static p => p.Samples);
        var whole = new WriteOutcome(0, 0, 0, split.Rejections, null) { IsShut = true };
        WriteRefusal? refusal = null;
        var refused = new List<(TenantId, TenantLimits, IReadOnlyList<Rejection>)> { (own, limits.Limits.Of(own), split.Rejections) };
        foreach (var part in split.Parts)
        {
            var tenant = part.Tenant.Id;
            try
            {
                var share = (int)(sentBytes * part.Samples / Math.Max(1, all));
                if (tenant != own)
                {
                    limits.AdmitRequest(tenant, share);
                }

                var outcome = await appender.StoreAsync(tenant, part.Partitioner, part.Samples, part.Series, 0, CancellationToken.None);
                Count(tenant, outcome, part.Series, share);
                refused.Add((tenant, limits.Limits.Of(tenant), outcome.Rejections));
                whole = new WriteOutcome(
                    whole.Accepted + outcome.Accepted, whole.AcceptedHistograms + outcome.AcceptedHistograms, whole.AcceptedExemplars + outcome.AcceptedExemplars, [.. whole.Rejections, .. outcome.Rejections], null)
                {
                    LeftOut = whole.LeftOut + outcome.LeftOut,
                    IsShut = whole.IsShut && outcome.IsShut,
                };
            }
            catch (WriteRefusal e)
            {
                refusal = refusal is null || (e.IsForNow && !refusal.IsForNow) ? e : refusal;
            }
            catch (ShardUnavailableException e)
            {
                refusal = refusal is { IsForNow: true } ? refusal : WriteRefusal.Busy(e.Message, e);
            }
        }

        var text = RejectionText.Of(refused, whole.Accepted, own, options);
        return refusal is null ? new TakenWrite(whole, text) : throw refusal.Beside(whole, text);
    }

    private void Count(TenantId tenant, WriteOutcome outcome, int series, int sentBytes)
    {
        instruments.OnWritten(tenant, series, outcome.Accepted, sentBytes);
        limits.UsageOf(tenant).OnWritten(outcome.Accepted, outcome.Rejected, sentBytes);
        foreach (var rejection in outcome.Rejections)
        {
            instruments.OnRejected(tenant, rejection.Reason, rejection.Count);
        }
    }

    /// <summary>Says when to come back, with the statuses that have it.</summary>
    public void SetRetryAfter(HttpContext context, int status, TimeSpan? wait = null)
    {
        if (status is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            context.Response.Headers.RetryAfter = ((long)RetryAfter(wait).TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }
    }

    /// <summary>When to come back, in whole seconds; <paramref name="wait"/> where it is known.</summary>
    public TimeSpan RetryAfter(TimeSpan? wait) => TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling((wait ?? options.RetryAfter).TotalSeconds)));
}

/// <summary>What became of a write, and what is to be said of it.</summary>
/// <param name="Outcome">What was stored and what refused.</param>
/// <param name="Refusals">What was refused and why, in one line; empty when nothing was.</param>
internal readonly record struct TakenWrite(WriteOutcome Outcome, string Refusals);
