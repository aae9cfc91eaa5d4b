namespace Metrics.Gateway.FrontEnd;

internal sealed partial class QueryFrontEnd
{
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "slow query: tenant={Tenant} query={Query} start={StartMs} end={EndMs} step={StepMs} duration={DurationSeconds} samples={Samples} trace_id={TraceId}")]
    private partial void LogSlow(string tenant, string query, long startMs, long endMs, long stepMs, double durationSeconds, long samples, string traceId);
}
