using Metrics.Cluster;

namespace Metrics.Simulation;

/// <summary>Carries calls between processes: late, lost, twice, out of order, or not at all where it is cut, in one direction or both.</summary>
internal sealed class SimNetwork(SimScheduler scheduler, SimFaults faults)
{
    private readonly HashSet<(int From, int To)> cuts = [];

    /// <summary>Cuts one direction.</summary>
    public void Cut(int from, int to) => cuts.Add((from, to));

    /// <summary>Undoes all cuts.</summary>
    public void Heal() => cuts.Clear();

    /// <summary>Calls something in another process; the answer comes back the same way.</summary>
    /// <param name="from">The place of the caller.</param>
    /// <param name="caller">The caller.</param>
    /// <param name="to">The place of the callee.</param>
    /// <param name="callee">Finds the process that is there when the call arrives, or null.</param>
    /// <param name="call">What to do there.</param>
    public async Task<T> CallAsync<T>(int from, SimProcess caller, int to, Func<SimProcess?> callee, Func<Task<T>> call)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var copies = from == to ? 1 : cuts.Contains((from, to)) || scheduler.Chance(faults.Loss) ? 0 : scheduler.Chance(faults.Duplication) ? 2 : 1;
        faults.Count("message lost", copies == 0);
        faults.Count("message doubled", copies == 2);
        for (var i = 0; i < copies; i++)
        {
            scheduler.Plan(Delay(from, to), faults.World, () => Arrive(from, caller, to, callee, call, answer));
        }

        return await answer.Task;
    }

    private void Arrive<T>(int from, SimProcess caller, int to, Func<SimProcess?> callee, Func<Task<T>> call, TaskCompletionSource<T> answer)
    {
        if (callee() is not { IsDead: false } there)
        {
            Back(from, to, caller, () => answer.TrySetException(new IOException("nobody listens there")));
            return;
        }

        there.Start(async () =>
        {
            try
            {
                var value = await call();
                Back(from, to, caller, () => answer.TrySetResult(value));
            }
            catch (ReplicationInvariantException e)
            {
                faults.Violate(e.Message);
            }
            catch (Exception e)
            {
                Back(from, to, caller, () => answer.TrySetException(e is IOException or EpochLostException ? e : new IOException(e.Message, e)));
            }
        });
    }

    private void Back(int from, int to, SimProcess caller, Action deliver)
    {
        if (from == to || (!cuts.Contains((to, from)) && !scheduler.Chance(faults.Loss)))
        {
            scheduler.Plan(Delay(from, to), caller, deliver);
        }
    }

    private TimeSpan Delay(int from, int to) => from == to ? TimeSpan.FromTicks(10)
        : scheduler.Chance(faults.Lateness) ? scheduler.Between(TimeSpan.FromMilliseconds(5), TimeSpan.FromSeconds(4))
        : scheduler.Between(TimeSpan.FromMilliseconds(0.1), TimeSpan.FromMilliseconds(3));
}

/// <summary>A node's way to the others, for the protocol.</summary>
internal sealed class SimTransport(SimNetwork network, SimNode self, Func<NodeId, SimNode?> find) : ILogTransport
{
    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> SendAsync(NodeId node, ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        if (find(node) is not { } target)
        {
            throw new IOException($"there is no node {node}");
        }

        return await network.CallAsync(self.Place, self.Process, target.Place, () => target.Id == node ? target.Process : null, async () => await target.Replicas.AnswerAsync(message, CancellationToken.None));
    }
}
