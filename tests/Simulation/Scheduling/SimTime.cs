namespace Metrics.Simulation;

/// <summary>The simulated clock, with timers that fire in the process that made them.</summary>
internal sealed class SimTime(SimScheduler scheduler, SimProcess process) : TimeProvider
{
    private static readonly DateTimeOffset Beginning = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => Beginning.AddTicks(scheduler.Now);

    /// <inheritdoc/>
    public override long GetTimestamp() => scheduler.Now;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(scheduler, process, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(SimScheduler scheduler, SimProcess process, TimerCallback callback, object? state) : ITimer
    {
        private long setting;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var mine = ++setting;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                scheduler.Plan(dueTime, process, () => Fire(mine, period));
            }

            return true;
        }

        public void Dispose() => setting++;

        public ValueTask DisposeAsync()
        {
            setting++;
            return ValueTask.CompletedTask;
        }

        private void Fire(long mine, TimeSpan period)
        {
            if (mine != setting)
            {
                return;
            }

            if (period > TimeSpan.Zero)
            {
                scheduler.Plan(period, process, () => Fire(mine, period));
            }

            callback(state);
        }
    }
}
