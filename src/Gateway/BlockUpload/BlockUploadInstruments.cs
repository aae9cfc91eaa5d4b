using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Telemetry;
using Metrics.Model;
using Metrics.Storage;

namespace Metrics.Gateway.BlockUpload;

/// <summary>What is counted and logged of blocks that were uploaded.</summary>
internal sealed partial class BlockUploadInstruments
{
    private readonly CounterVector blocks;
    private readonly ILogger<BlockUploadInstruments> logger;

    /// <summary>Registers the families.</summary>
    public BlockUploadInstruments(MetricRegistry registry, TenantRanking ranking, ILogger<BlockUploadInstruments> logger)
    {
        this.logger = logger;
        blocks = registry.Add(new CounterVector("metrics_block_uploads_total", "Uploaded blocks that were checked here, by tenant and result: complete, failed; uploading when it was interrupted.", ["tenant", "result"], GatewayInstruments.MaxTenants, ranking));
    }

    /// <summary>A block was taken in, or not.</summary>
    public void OnEnded(TenantId tenant, Ulid block, UploadState state)
    {
        blocks.Add(tenant.Value, Setting.SnakeCase(state.Stage.ToString()), 1);
        if (state.Stage == UploadStage.Complete)
        {
            LogComplete(block.ToString(), tenant.Value);
        }
        else
        {
            LogFailed(block.ToString(), tenant.Value, state.Error);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "block {Block} was uploaded into tenant {Tenant}")]
    private partial void LogComplete(string block, string tenant);

    [LoggerMessage(Level = LogLevel.Warning, Message = "block {Block} was uploaded and not taken into tenant {Tenant}: {Reason}")]
    private partial void LogFailed(string block, string tenant, string reason);
}
