using Metrics.Model;

namespace Metrics.Gateway.QueryApi;

/// <summary>
/// Lets so many queries run and so many wait, of all tenants and of each; when a place is free, the tenants that wait are served in turn, so that one with a thousand queries delays another's by no more than one. A quarter of
/// the places is kept for tenants that have none running, so that one with long queries does not make another wait for their end. Thread-safe.
/// </summary>
/// <param name="maxRunning">Queries that run at once.</param>
/// <param name="maxWaiting">Queries that may wait.</param>
/// <param name="limits">The same for a tenant; 0 for no bound of its own.</param>
internal sealed class ConcurrencyGate(int maxRunning, int maxWaiting, Func<TenantId, (int Running, int Waiting)> limits)
{
    private readonly int maxShared = maxRunning - (maxRunning / 4);
    private readonly Lock sync = new();
    private readonly Dictionary<TenantId, Queue> tenants = [];

    // Tenants with queries that wait, the next in turn first.
    private readonly LinkedList<Queue> turns = new();
    private int running;
    private int waiting;

    /// <summary>Queries running and waiting now.</summary>
    public (int Running, int Waiting) Load
    {
        get
        {
            lock (sync)
            {
                return (running, waiting);
            }
        }
    }

    /// <summary>Waits for a place; follow with <see cref="Leave"/>.</summary>
    /// <param name="tenant">Whose query.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="isRule">True for a rule's query, which may wait however many do, and is not counted among them.</param>
    /// <exception cref="ApiException">Too many wait already.</exception>
    /// <exception cref="OperationCanceledException">The query was cancelled, or its time was up, before it got a place.</exception>
    public async ValueTask EnterAsync(TenantId tenant, CancellationToken cancellation, bool isRule = false)
    {
        cancellation.ThrowIfCancellationRequested();
        Waiter waiter;
        lock (sync)
        {
            var own = limits(tenant);
            if (!tenants.TryGetValue(tenant, out var queue))
            {
                tenants.Add(tenant, queue = new Queue(tenant));
            }

            // Whoever waits of this tenant waits for a place in the tenant or in all; either way nobody overtakes.
            if (queue.Waiters.Count == 0 && HasPlace(queue, own.Running))
            {
                running++;
                queue.Running++;
                return;
            }

            if (!isRule)
            {
                if (Refusal(queue, own.Waiting) is { } refusal)
                {
                    Forget(queue);
                    throw refusal;
                }

                waiting++;
                queue.Waiting++;
            }

            waiter = new Waiter(queue, isRule);
            waiter.Place = queue.Waiters.AddLast(waiter);
            if (queue.Waiters.Count == 1)
            {
                queue.Turn = turns.AddLast(queue);
            }
        }

        await using var registration = cancellation.Register(() => Abandon(waiter, cancellation));
        await waiter.Entered.Task;
    }

    /// <summary>Gives the place back.</summary>
    public void Leave(TenantId tenant)
    {
        lock (sync)
        {
            var queue = tenants[tenant];
            queue.Running--;
            running--;
            Forget(queue);
            for (var next = turns.First; next is not null && running < maxRunning;)
            {
                var candidate = next.Value;
                next = next.Next;
                if (HasPlace(candidate, limits(candidate.Tenant).Running))
                {
                    Admit(candidate);
                    next = turns.First;
                }
            }
        }
    }

    private bool HasPlace(Queue queue, int own) => running < (queue.Running == 0 ? maxRunning : maxShared) && (own == 0 || queue.Running < own);

    private ApiException? Refusal(Queue queue, int own)
    {
        if (own > 0 && queue.Waiting >= own)
        {
            return new ApiException(
                ApiErrorType.TooManyRequests, $"too many outstanding requests: {queue.Running} queries of tenant {queue.Tenant} are running, and as many wait as its limit max_outstanding_requests_per_tenant of {own} allows");
        }

        return waiting >= maxWaiting ? new ApiException(ApiErrorType.Unavailable, $"too many queries: {running} are running and {waiting} waiting") : null;
    }

    private void Admit(Queue queue)
    {
        var waiter = queue.Waiters.First!.Value;
        Remove(waiter);
        if (queue.Waiters.Count > 0)
        {
            // Behind all others that wait.
            turns.Remove(queue.Turn!);
            turns.AddLast(queue.Turn!);
        }

        running++;
        queue.Running++;
        waiter.Entered.SetResult();
    }

    private void Remove(Waiter waiter)
    {
        waiter.Queue.Waiters.Remove(waiter.Place!);
        waiter.Place = null;
        if (!waiter.IsRule)
        {
            waiting--;
            waiter.Queue.Waiting--;
        }

        if (waiter.Queue.Waiters.Count == 0)
        {
            turns.Remove(waiter.Queue.Turn!);
            waiter.Queue.Turn = null;
        }
    }

    private void Abandon(Waiter waiter, CancellationToken cancellation)
    {
        lock (sync)
        {
            if (waiter.Place is null)
            {
                return;
            }

            Remove(waiter);
            Forget(waiter.Queue);
            waiter.Entered.SetCanceled(cancellation);
        }
    }

    private void Forget(Queue queue)
    {
        if (queue.Running == 0 && queue.Waiters.Count == 0)
        {
            tenants.Remove(queue.Tenant);
        }
    }

    /// <summary>A tenant's queries.</summary>
    private sealed class Queue(TenantId tenant)
    {
        public TenantId Tenant => tenant;

        public LinkedList<Waiter> Waiters { get; } = new();

        public LinkedListNode<Queue>? Turn { get; set; }

        public int Running { get; set; }

        /// <summary>Those of <see cref="Waiters"/> that are no rules'.</summary>
        public int Waiting { get; set; }
    }

    /// <summary>A query that waits; it has a place in its queue until it enters or goes.</summary>
    private sealed class Waiter(Queue queue, bool isRule)
    {
        public bool IsRule => isRule;

        public Queue Queue => queue;

        public LinkedListNode<Waiter>? Place { get; set; }

        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
