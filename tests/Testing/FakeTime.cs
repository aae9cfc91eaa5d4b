namespace Metrics.Testing;

/// <summary>A clock that only the test moves. Timers fire on the thread that moves it, in order.</summary>
public sealed class FakeTime(long startMs) : TimeProvider
{
    private readonly Lock sync = new();
    private readonly List<FakeTimer> timers = [];
    private DateTimeOffset now = DateTimeOffset.FromUnixTimeMilliseconds(startMs);

    /// <summary>Now, Unix milliseconds.</summary>
    public long NowMs => GetUtcNow().ToUnixTimeMilliseconds();

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow()
    {
        lock (sync)
        {
            return now;
        }
    }

    /// <inheritdoc/>
    public override long GetTimestamp() => GetUtcNow().UtcTicks;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new FakeTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>How many wait for a time to come.</summary>
    public int Timers
    {
        get
        {
            lock (sync)
            {
                return timers.Count(t => t.DueAt is not null);
            }
        }
    }

    /// <summary>Waits until somebody waits for a time to come: so many timers are set.</summary>
    public Task UntilTimersAsync(int count) => UntilAsync(() => Timers >= count);

    /// <summary>Waits until so many wait for this very instant.</summary>
    public Task UntilDueAsync(long timeMs, int count = 1) => UntilAsync(() => timers.Count(t => t.DueAt == DateTimeOffset.FromUnixTimeMilliseconds(timeMs)) >= count);

    /// <summary>Moves the clock, and fires what is due on the way.</summary>
    public void AdvanceTo(long timeMs)
    {
        var target = DateTimeOffset.FromUnixTimeMilliseconds(timeMs);
        while (true)
        {
            FakeTimer? due;
            lock (sync)
            {
                due = timers.Where(t => t.DueAt <= target).MinBy(t => t.DueAt);
                if (due is null)
                {
                    now = target > now ? target : now;
                    return;
                }

                now = due.DueAt!.Value > now ? due.DueAt.Value : now;
                due.DueAt = due.Period is { } period ? now + period : null;
            }

            due.Fire();
        }
    }

    /// <summary>Moves the clock on.</summary>
    public void Advance(TimeSpan by) => AdvanceTo(NowMs + (long)by.TotalMilliseconds);

    private async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            lock (sync)
            {
                if (condition())
                {
                    return;
                }
            }

            await Task.Yield();
            patience.Token.ThrowIfCancellationRequested();
        }
    }

    private sealed class FakeTimer(FakeTime owner, TimerCallback callback, object? state) : ITimer
    {
        public DateTimeOffset? DueAt { get; set; }

        public TimeSpan? Period { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var isOff = dueTime == Timeout.InfiniteTimeSpan;
            var isNow = dueTime == TimeSpan.Zero;
            lock (owner.sync)
            {
                Period = isOff || period <= TimeSpan.Zero ? null : period;
                DueAt = isOff ? null : isNow ? owner.now + Period : owner.now + dueTime;
                if (!owner.timers.Contains(this))
                {
                    owner.timers.Add(this);
                }
            }

            if (isNow)
            {
                Fire();
            }

            return true;
        }

        public void Dispose()
        {
            lock (owner.sync)
            {
                owner.timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
