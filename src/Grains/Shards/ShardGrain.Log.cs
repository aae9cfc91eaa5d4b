using Metrics.Model;
using Microsoft.Extensions.Logging;

namespace Metrics.Grains;

internal sealed partial class ShardGrain
{
    [LoggerMessage(Level = LogLevel.Information, Message = "shard {Shard}: open on node {Node}")]
    private partial void LogOpened(ShardId shard, string node);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: could not be opened here: {Problem}")]
    private partial void LogNotOpened(ShardId shard, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "shard {Shard}: handing over to node {Node}")]
    private partial void LogMoving(ShardId shard, string node);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: node {Node} could not copy the log beforehand: {Problem}")]
    private partial void LogNotCaughtUp(ShardId shard, string node, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "shard {Shard}: to be split or merged, as version {Announced} of its tenant's map announces")]
    private partial void LogSealing(ShardId shard, long announced);

    [LoggerMessage(Level = LogLevel.Information, Message = "shard {Shard}: nobody asks for it; closed")]
    private partial void LogIdle(ShardId shard);

    [LoggerMessage(Level = LogLevel.Warning, Message = "shard {Shard}: nobody asks for it, but its head could not be put into blocks: {Problem}")]
    private partial void LogNotFlushed(ShardId shard, string problem);
}
