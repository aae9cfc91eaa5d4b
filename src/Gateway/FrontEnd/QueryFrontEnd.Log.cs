namespace Metrics.Gateway.FrontEnd;

internal sealed partial class QueryFrontEnd
{
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "slow query: tenant={Tenant} user={User} query={Query} start={StartMs} end={EndMs} step={StepMs} duration={DurationSeconds} samples={Samples} trace_id={TraceId}")]
    private partial void LogSlow(string tenant, string user, string query, long startMs, long endMs, long stepMs, double durationSeconds, long samples, string traceId);
}
