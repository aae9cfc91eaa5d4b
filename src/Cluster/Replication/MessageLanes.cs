namespace Metrics.Cluster;

/// <summary>Gives a node's replicas their messages: those for one log in the order in which they came, those for different logs side by side. Thread-safe.</summary>
/// <remarks>
/// Whoever receives messages has other things to do on that thread than to write to disks. The protocol allows any order, but a batch that is overtaken by a later one costs a session begun anew.
/// </remarks>
/// <param name="answer">Answers one message; what it does before its first wait keeps the order.</param>
/// <param name="lanes">How many logs are served side by side, at least 1.</param>
public sealed class MessageLanes(Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask<ReadOnlyMemory<byte>>> answer, int lanes)
{
    private readonly Lane[] all = [.. Enumerable.Range(0, lanes).Select(_ => new Lane(answer))];

    /// <summary>Answers a message, on a thread of the pool.</summary>
    /// <exception cref="InvalidDataException">The bytes are no message.</exception>
    public Task<ReadOnlyMemory<byte>> AnswerAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation) =>
        all[(int)(ReplicaMessage.Addressee(message.Span) % (uint)all.Length)].AnswerAsync(message, cancellation);

    private sealed class Lane(Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask<ReadOnlyMemory<byte>>> answer) : IThreadPoolWorkItem
    {
        private readonly Lock gate = new();
        private readonly Queue<Waiting> waiting = new();
        private bool running;

        public Task<ReadOnlyMemory<byte>> AnswerAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation)
        {
            var next = new Waiting(message, new TaskCompletionSource<ReadOnlyMemory<byte>>(TaskCreationOptions.RunContinuationsAsynchronously), cancellation);
            lock (gate)
            {
                waiting.Enqueue(next);
                if (!running)
                {
                    running = true;
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                }
            }

            return next.Answer.Task;
        }

        public void Execute()
        {
            while (true)
            {
                Waiting next;
                lock (gate)
                {
                    if (!waiting.TryDequeue(out next))
                    {
                        running = false;
                        return;
                    }
                }

                _ = StartAsync(next); // Its outcome goes to who asked.
            }
        }

        private async Task StartAsync(Waiting next)
        {
            try
            {
                next.Answer.SetResult(await answer(next.Message, next.Cancellation));
            }
            catch (OperationCanceledException e)
            {
                next.Answer.SetCanceled(e.CancellationToken);
            }
            catch (Exception e)
            {
                next.Answer.SetException(e);
            }
        }
    }

    private readonly record struct Waiting(ReadOnlyMemory<byte> Message, TaskCompletionSource<ReadOnlyMemory<byte>> Answer, CancellationToken Cancellation);
}
