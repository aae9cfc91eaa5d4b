using Metrics.Rules;
using Metrics.Rules.Notifying;

namespace Metrics.Gateway.Rules;

/// <summary>Tells a tenant's Alertmanagers, which a reload may replace by others.</summary>
internal sealed class TenantNotifier(NotifierOptions first, TimeProvider time, IRuleObserver observer) : INotifier, IAsyncDisposable
{
    private readonly Lock sync = new();
    private AlertmanagerNotifier current = new(first, time, observer: observer);

    /// <summary>The Alertmanagers known now, with what was sent to each.</summary>
    public IReadOnlyList<(Uri Url, int QueueLength, AlertmanagerCounters Counters, string? LastError)> Alertmanagers => Volatile.Read(ref current).Alertmanagers;

    /// <inheritdoc/>
    public void Send(IReadOnlyList<AlertNotification> alerts)
    {
        // Under the lock, so that nothing is handed to one that is being disposed; handing over is but queueing.
        lock (sync)
        {
            current.Send(alerts);
        }
    }

    /// <summary>Sends to these from now on; what waits for the others still goes out to them.</summary>
    /// <exception cref="IOException">A certificate can't be read; the others stay.</exception>
    public async Task TurnAsync(NotifierOptions options)
    {
        var next = new AlertmanagerNotifier(options, time, observer: observer);
        AlertmanagerNotifier last;
        lock (sync)
        {
            (last, current) = (current, next);
        }

        await last.DisposeAsync();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => current.DisposeAsync();
}
