namespace Metrics.Model;

/// <summary>A piece of work's leave to use a processor; see <see cref="ProcessorShares"/>. Its owner runs work in it, once, or disposes it.</summary>
public sealed class ProcessorTurn : IDisposable
{
    /// <summary>Steps of a fraction of a microsecond, such as looking at a label set.</summary>
    private const int StepsPerCheckpoint = 64;

    [ThreadStatic]
    private static ProcessorTurn? current;

    private bool isDone;

    internal ProcessorTurn(ProcessorShares owner, ProcessorShare share)
    {
        Owner = owner;
        Share = share;
    }

    /// <summary>That of the work on this thread; null for work that has none.</summary>
    internal static ProcessorTurn? Current => current;

    internal ProcessorShares Owner { get; }

    internal ProcessorShare Share { get; }

    /// <summary>Time it has run, up to <see cref="Since"/>. This and what follows is guarded by the owner's lock.</summary>
    internal long Attained { get; set; }

    /// <summary>Pieces are numbered as they come.</summary>
    internal long Number { get; init; }

    /// <summary>How large it is: as expected at first, or as it turned out.</summary>
    internal int Class { get; set; }

    /// <summary>Whether its tenant had had most when it began or went on, and there were others.</summary>
    internal bool HasHadMost { get; set; }

    /// <summary>Since when it runs or waits.</summary>
    internal long Since { get; set; }

    /// <summary>Completes when its turn comes; null where nobody waits for that.</summary>
    internal TaskCompletionSource? Granted { get; set; }

    /// <summary>The work that begins when its turn comes; null where its owner does that.</summary>
    internal ProcessorPiece? Piece { get; set; }

    /// <summary>Who was given a turn at the same moment and is to hear it next.</summary>
    internal ProcessorTurn? NextGranted { get; set; }

    /// <summary>Work on this thread says that it can be interrupted here, holding no lock. Costs next to nothing when nobody waits.</summary>
    public static void Checkpoint()
    {
        if (current is { } turn)
        {
            turn.Owner.Check(turn);
            if (turn.HasHadMost)
            {
                ProcessorThreads.Yield();
            }
        }
    }

    /// <summary>The same at every so many steps of a loop whose steps are short.</summary>
    public static void CheckpointAt(int step)
    {
        if (step % StepsPerCheckpoint == 0)
        {
            Checkpoint();
        }
    }

    /// <summary>Work on this thread is about to wait for something else than a processor; until the result is disposed, its turn is another's.</summary>
    public static Interlude Aside()
    {
        var turn = current;
        current = null;
        turn?.Owner.Leave(turn);
        return new Interlude(turn);
    }

    /// <summary>Runs work in it on this thread, and gives it back.</summary>
    public T Run<T>(Func<T> work)
    {
        try
        {
            return RunWithin(work);
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Runs work in it on this thread.</summary>
    internal T RunWithin<T>(Func<T> work)
    {
        var before = current;
        current = this;
        try
        {
            return work();
        }
        finally
        {
            current = before;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!isDone)
        {
            isDone = true;
            Owner.Leave(this);
        }
    }

    /// <summary>Gives it back; who gets a turn by that is to be handed it.</summary>
    internal ProcessorTurn? Release()
    {
        isDone = true;
        return Owner.Release(this);
    }

    /// <summary>The time during which a piece of work does without its turn.</summary>
    public readonly struct Interlude : IDisposable
    {
        private readonly ProcessorTurn? turn;

        internal Interlude(ProcessorTurn? turn) => this.turn = turn;

        /// <summary>Waits until its turn has come again.</summary>
        public void Dispose()
        {
            if (turn is not null)
            {
                turn.Owner.Return(turn);
                current = turn;
            }
        }
    }
}

/// <summary>What one tenant has used for one purpose. Guarded by the owner's lock.</summary>
internal sealed class ProcessorShare(TenantId tenant, ProcessorUse use)
{
    /// <summary>Whose.</summary>
    public TenantId Tenant => tenant;

    /// <summary>What for.</summary>
    public ProcessorUse Use => use;

    /// <summary>When it last wanted something, in stamps.</summary>
    public long LastSeen { get; set; }

    /// <summary>Time used, in stamps.</summary>
    public long Used { get; set; }

    /// <summary>Pieces that run.</summary>
    public int Running { get; set; }

    /// <summary>Pieces that wait.</summary>
    public int Waiting { get; set; }
}
