using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;

namespace Metrics.Model;

/// <content>Work that the shares run themselves, and on which threads.</content>
/// <remarks>
/// A thread that ends a piece goes on with the next of the kind, without waking another. Of two threads of one priority the one that wakes the other may have to wait for it for a time slice, and who wakes one of the
/// pool loses its processor to it at that moment, often in the middle of it: inside the runtime, with a lock of the pool's. If another of the low threads could take its place then, nobody's request would be looked at
/// for some milliseconds.
/// </remarks>
public sealed partial class ProcessorShares
{
    /// <summary>Runs short work when its turn has come: on this thread or one of the pool, or below all others where it is a query that had to wait of a tenant that has had most.</summary>
    /// <remarks>Many short pieces keep a processor from those that wake to take another's samples in as a long one does; another thread is nothing beside the wait.</remarks>
    public async ValueTask<T> RunHereAsync<T>(TenantId tenant, ProcessorUse use, Func<T> work, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        ProcessorTurn turn;
        ProcessorPiece<T>? piece = null;
        lock (sync)
        {
            turn = NewTurn(tenant, use, expected: default);
            if (!StartOrQueue(turn))
            {
                turn.Piece = piece = new ProcessorPiece<T>(turn, work, isShort: true);
            }
        }

        return piece is null ? turn.Run(work) : await DoneAsync(piece, cancellation).ConfigureAwait(false);
    }

    /// <summary>Runs long work on a thread of low priority when its turn has come, beside whatever the caller does.</summary>
    public async Task<T> RunAsync<T>(TenantId tenant, ProcessorUse use, Func<T> work, CancellationToken cancellation, TimeSpan expected = default)
    {
        cancellation.ThrowIfCancellationRequested();
        ProcessorPiece<T> piece;
        bool isGranted;
        lock (sync)
        {
            var turn = NewTurn(tenant, use, expected);
            turn.Piece = piece = new ProcessorPiece<T>(turn, work, isShort: false);
            isGranted = StartOrQueue(turn);
        }

        if (isGranted)
        {
            HandOut(piece.Turn);
        }

        return await DoneAsync(piece, cancellation).ConfigureAwait(false);
    }

    /// <summary>Does a piece of work for each number from 0 to <paramref name="count"/> - 1: on this thread and, where it has a turn, on as many more as there are processors that nobody waits for.</summary>
    /// <remarks>The first failure is thrown, and what has not begun by then is left out.</remarks>
    public static void ForEach(int count, Action<int> body)
    {
        var next = -1;
        ExceptionDispatchInfo? failure = null;
        var others = new List<Task>();
        while (others.Count < count - 1 && ProcessorTurn.Current is { } turn && turn.Owner.TryStart(turn, Work, out var other))
        {
            others.Add(other);
        }

        Work();
        foreach (var other in others.Where(static o => !o.IsCompleted))
        {
            using (ProcessorTurn.Aside())
            {
                Task.WaitAny(other);
            }
        }

        failure?.Throw();

        bool Work()
        {
            try
            {
                for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
                {
                    body(i);
                }
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(e), null);
                Volatile.Write(ref next, count);
            }

            return true;
        }
    }

    /// <summary>Wakes those who got a turn, or begins their work; holding no lock, for whoever wakes another may lose its processor to it at that moment.</summary>
    /// <param name="granted">The first of them; null for nobody.</param>
    /// <param name="ended">Whose thread this is, when it has nothing more to do itself.</param>
    /// <returns>What this thread goes on with, or null.</returns>
    internal static ProcessorPiece? HandOut(ProcessorTurn? granted, ProcessorThreads? ended = null)
    {
        ProcessorPiece? own = null;
        while (granted is { } turn)
        {
            (granted, turn.NextGranted) = (turn.NextGranted, null);
            if (turn.Granted is { } waiter)
            {
                turn.Granted = null;
                waiter.SetResult();
                continue;
            }

            var piece = turn.Piece!;
            var threads = ThreadsFor(piece);
            if (threads is null)
            {
                ThreadPool.UnsafeQueueUserWorkItem(piece, preferLocal: false);
            }
            else if (threads == ended && own is null)
            {
                own = piece;
            }
            else
            {
                threads.Start(piece);
            }
        }

        return own;
    }

    /// <summary>Waits until work is done that waits for its turn or has it.</summary>
    private async Task<T> DoneAsync<T>(ProcessorPiece<T> piece, CancellationToken cancellation)
    {
        await using var registration = cancellation.Register(() => Abandon(piece.Turn, cancellation)).ConfigureAwait(false);
        return await piece.Done.ConfigureAwait(false);
    }

    /// <summary>Where work runs; null for the pool.</summary>
    private static ProcessorThreads? ThreadsFor(ProcessorPiece piece)
    {
        if (piece.IsShort && piece.Turn.Share.Use == ProcessorUse.Write)
        {
            return null;
        }

        return piece.Turn.HasHadMost ? ProcessorThreads.Lowest : piece.IsShort ? null : ProcessorThreads.Low;
    }

    /// <summary>Begins work beside that of a turn, where there is a processor that nobody waits for; false where there is none.</summary>
    private bool TryStart(ProcessorTurn parent, Func<bool> work, [NotNullWhen(true)] out Task? done)
    {
        done = null;
        ProcessorPiece<bool> piece;
        lock (sync)
        {
            if (running.Count >= processors || waiting.Count > 0)
            {
                return false;
            }

            var turn = new ProcessorTurn(this, parent.Share) { Number = parent.Number, Class = parent.Class, Attained = parent.Attained };
            turn.Piece = piece = new ProcessorPiece<bool>(turn, work, isShort: false);
            Start(turn);
        }

        HandOut(piece.Turn);
        done = piece.Done;
        return true;
    }
}
