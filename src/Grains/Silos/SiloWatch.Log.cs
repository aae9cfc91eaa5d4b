using Metrics.Model;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

internal sealed partial class SiloWatch
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "silo {Silo} is gone, and with it node {Node}")]
    private partial void LogSiloGone(SiloAddress silo, string node);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: could not be handed over: {Problem}")]
    private partial void LogNotHandedOver(ShardId shard, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "the time to hand over is up; {Shards} shards are closed and open elsewhere")]
    private partial void LogDrainCut(int shards);

    [LoggerMessage(Level = LogLevel.Debug, Message = "silo {Silo} did not hear how this one is: {Problem}")]
    private partial void LogNotTold(SiloAddress silo, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: could not be opened after its silo was lost, and waits for a call: {Problem}")]
    private partial void LogNotWoken(ShardId shard, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "shard {Shard}: moved from node {From} to {To}, which does less or suits its tenant better")]
    private partial void LogBalancing(ShardId shard, string from, string to);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: could not be moved to node {To}, and will be left out for a while: {Problem}")]
    private partial void LogNotBalanced(ShardId shard, string to, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "shard {Shard}: to be {What}")]
    private partial void LogResharding(ShardId shard, string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: could not be split or merged: {Problem}")]
    private partial void LogNotResharded(ShardId shard, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Problem}")]
    private partial void LogFailed(string problem);
}
