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
    /// <param name="refuse">Answers with a status, why, and when to come back.</param>
    /// <param name="logger">The endpoint's.</param>
    public static async Task AnswerAsync(HttpContext context, string format, Func<HttpContext, Task> write, Func<HttpContext, int, string, TimeSpan?, Task> refuse, ILogger logger)
    {
        try
        {
            await write(context);
        }
        catch (WriteRefusal e)
        {
            await refuse(context, e.Status, e.Message, e.RetryAfter);
        }
        catch (ShardUnavailableException e)
        {
            LogUnavailable(logger, format, e.Message);
            await refuse(context, StatusCodes.Status503ServiceUnavailable, e.Message, null);
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

    /// <summary>Reads and decompresses the body; the caller disposes it.</summary>
    public async ValueTask<WriteBody> ReadAsync(HttpContext context, TenantId tenant, WriteCompression compression)
    {
        var body = new WriteBody(budget, options);
        try
        {
            limits.AdmitRequest(tenant, context.Request.ContentLength);
            await body.ReadAsync(context.Request, context.RequestAborted);
            limits.AdmitSize(tenant, body.SentBytes);
            using (await ProcessorShares.OfProcess.EnterAsync(tenant, ProcessorUse.Write, context.RequestAborted))
            {
                body.Decompress(compression);
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
    /// <exception cref="ShardUnavailableException">Some shard cannot take writes now.</exception>
    public async ValueTask<WriteOutcome> AppendAsync(Caller caller, TenantId tenant, WriteReader reader, ReadOnlyMemory<byte> message, int sentBytes)
    {
        if (tenantLabel.Length > 0)
        {
            return await AppendSplitAsync(caller, tenant, reader, message, sentBytes);
        }

        // Not tied to the client's presence: a half-appended request is what retries are for, but finishing it is cheaper.
        var (outcome, series) = await appender.AppendAsync(tenant, reader, message, sentBytes, CancellationToken.None);
        Count(tenant, outcome, series, sentBytes);
        return outcome;
    }

    /// <summary>Appends each tenant's part; one that is refused whole refuses the request once the others are stored, which a retry does not double.</summary>
    private async ValueTask<WriteOutcome> AppendSplitAsync(Caller caller, TenantId own, WriteReader reader, ReadOnlyMemory<byte> message, int sentBytes)
    {
        using var split = new TenantSplit(tenantLabel, own);
        await appender.ReadAsync(own, reader, message, new WriteSink(split, split), CancellationToken.None);
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

        await appender.ReadAsync(own, reader, message, new WriteSink(split, split), CancellationToken.None);
        var all = split.Parts.Sum(static p => p.Samples);
        var whole = new WriteOutcome(0, 0, 0, split.Rejections, null) { IsShut = true };
        WriteRefusal? refusal = null;
        foreach (var part in split.Parts)
        {
            try
            {
                var outcome = await appender.StoreAsync(part.Tenant.Id, part.Partitioner, part.Samples, part.Series, 0, CancellationToken.None);
                Count(part.Tenant.Id, outcome, part.Series, (int)(sentBytes * part.Samples / Math.Max(1, all)));
                whole = new WriteOutcome(
                    whole.Accepted + outcome.Accepted, whole.AcceptedHistograms + outcome.AcceptedHistograms, whole.AcceptedExemplars + outcome.AcceptedExemplars, [.. whole.Rejections, .. outcome.Rejections], null)
                {
                    LeftOut = whole.LeftOut + outcome.LeftOut,
                    IsShut = whole.IsShut && outcome.IsShut,
                };
            }
            catch (WriteRefusal e)
            {
                refusal ??= e;
            }
        }

        return refusal is null ? whole : throw refusal;
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

    /// <summary>What of a write was refused and why, in one line.</summary>
    public string Describe(TenantId tenant, WriteOutcome outcome) => RejectionText.Of(outcome.Rejections, outcome.Accepted, tenant, limits.Limits.Of(tenant));

    /// <summary>Says when to come back, with the statuses that have it.</summary>
    public void SetRetryAfter(HttpContext context, int status, TimeSpan? wait = null)
    {
        if (status is StatusCodes.Status503ServiceUnavailable or StatusCodes.Status429TooManyRequests)
        {
            var seconds = (long)Math.Max(1, Math.Ceiling((wait ?? options.RetryAfter).TotalSeconds));
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }
    }
}
