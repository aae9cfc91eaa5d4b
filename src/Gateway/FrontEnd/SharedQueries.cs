using System.Runtime.CompilerServices;

namespace Metrics.Gateway.FrontEnd;

/// <summary>Lets callers that ask the same while it is being answered share one answer. Thread-safe.</summary>
/// <param name="onJoined">Called with each caller whose question is in progress already, before it waits.</param>
/// <remarks>The work goes on while anybody waits for it, and is cancelled when the last one has left; its result is disposed when the last one who got it is done with it.</remarks>
internal sealed class SharedQueries<TKey, TResult>(Action onJoined)
    where TKey : notnull
    where TResult : class, IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<TKey, Flight> flights = [];

    /// <summary>Answers a question, beginning the work unless it is in progress.</summary>
    /// <param name="key">What is asked.</param>
    /// <param name="work">Answers it; cancelled when nobody waits any more.</param>
    /// <param name="cancellation">Ends this caller's wait.</param>
    /// <exception cref="OperationCanceledException">This caller has left.</exception>
    public async Task<Lease> RunAsync(TKey key, Func<CancellationToken, Task<TResult>> work, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        Flight flight;
        lock (gate)
        {
            if (flights.TryGetValue(key, out var running))
            {
                flight = running;
                flight.Holders++;
                onJoined();
            }
            else
            {
                flight = new Flight(key);
                flights.Add(key, flight);
                flight.Task = FlyAsync(flight, work);
            }
        }

        try
        {
            return new Lease(this, flight, await flight.Task.WaitAsync(cancellation));
        }
        catch
        {
            Leave(flight);
            throw;
        }
    }

    private async Task<TResult> FlyAsync(Flight flight, Func<CancellationToken, Task<TResult>> work)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            var result = await work(flight.Cancellation.Token);
            lock (gate)
            {
                flight.Result = result;
                if (flight.Holders == 0)
                {
                    result.Dispose();
                }
            }

            return result;
        }
        finally
        {
            lock (gate)
            {
                Remove(flight);
            }

            flight.Cancellation.Dispose();
        }
    }

    private void Leave(Flight flight)
    {
        lock (gate)
        {
            if (--flight.Holders > 0)
            {
                return;
            }

            // Whoever asks from now on begins anew.
            Remove(flight);
            if (flight.Result is { } result)
            {
                result.Dispose();
                return;
            }
        }

        flight.Cancel();
    }

    private void Remove(Flight flight)
    {
        if (flights.TryGetValue(flight.Key, out var running) && ReferenceEquals(running, flight))
        {
            flights.Remove(flight.Key);
        }
    }

    /// <summary>One caller's hold of an answer; disposed when the caller is done with it.</summary>
    internal sealed class Lease : IDisposable
    {
        private readonly SharedQueries<TKey, TResult> owner;
        private readonly StrongBox<Flight?> held;

        internal Lease(SharedQueries<TKey, TResult> owner, Flight flight, TResult result)
        {
            this.owner = owner;
            held = new StrongBox<Flight?>(flight);
            Result = result;
        }

        /// <summary>The answer.</summary>
        public TResult Result { get; }

        /// <inheritdoc/>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref held.Value, null) is { } flight)
            {
                owner.Leave(flight);
            }
        }
    }

    /// <summary>Work in progress, or done and held. Guarded by the gate.</summary>
    internal sealed class Flight(TKey key)
    {
        public TKey Key { get; } = key;

        public CancellationTokenSource Cancellation { get; } = new();

        public Task<TResult> Task { get; set; } = null!;

        public TResult? Result { get; set; }

        public int Holders { get; set; } = 1;

        /// <summary>Cancels the work, unless it has just ended.</summary>
        public void Cancel()
        {
            try
            {
                Cancellation.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It ended between the look and the call.
            }
        }
    }
}
