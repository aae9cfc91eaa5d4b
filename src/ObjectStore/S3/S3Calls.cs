namespace Metrics.ObjectStore;

/// <summary>One request to make: what messages call it, how many bytes it moves, and what its failure leaves open.</summary>
/// <param name="Attempted">For messages: <c>put a/b</c>.</param>
/// <param name="Bytes">For the time limits: how much is to be transferred, or worked on by the server.</param>
/// <param name="Changes">What remains unknown when it fails unclearly, or null when nothing does.</param>
internal readonly record struct S3Call(string Attempted, long Bytes = 0, string? Changes = null)
{
    /// <summary>A deadline of its own, or null for the store's.</summary>
    public TimeSpan? Deadline { get; init; }
}

/// <summary>Tries requests again, with growing and jittered pauses, until one succeeds, is refused, or time or tries run out.</summary>
/// <remarks>
/// A change may take effect although its try failed: the answer was lost, or a server answered 5xx after the fact. For an unconditional put of
/// immutable content, trying again is harmless. A conditional put is tried again too: the condition keeps it from happening twice. But when a later
/// try then fails its condition, the state that was met may be our own, so the outcome is reported as unknown, and the caller reads to find out.
/// Comparing contents here would not settle it: another writer may have stored the same bytes.
/// </remarks>
internal sealed class S3Calls(S3Options options, string store, TimeProvider time, Random random)
{
    private readonly Lock randomGate = new();

    /// <summary>Runs one request to its end.</summary>
    /// <exception cref="ObjectNotFoundException">The object is not there.</exception>
    /// <exception cref="ConditionFailedException">The condition does not hold, and no earlier try can be why.</exception>
    /// <exception cref="ObjectStoreException">Refused, or given up.</exception>
    public async ValueTask<T> RunAsync<T>(S3Call call, Func<CancellationToken, Task<T>> once, CancellationToken cancellation)
    {
        var transfer = TimeSpan.FromSeconds((double)call.Bytes / options.MinBytesPerSecond);
        var deadline = (call.Deadline ?? options.Deadline) + transfer;
        var started = time.GetTimestamp();
        using var overall = new CancellationTokenSource(deadline, time);
        string? unclear = null;
        for (var tries = 1; ; tries++)
        {
            using var single = new CancellationTokenSource(options.TryTimeout + transfer, time);
            using var any = CancellationTokenSource.CreateLinkedTokenSource(overall.Token, single.Token, cancellation);
            Exception failure;
            S3FailureKind kind;
            try
            {
                return await once(any.Token);
            }
            catch (Exception) when (cancellation.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellation);
            }
            catch (ObjectStoreException)
            {
                throw;
            }
            catch (Exception e) when (S3Failure.IsOperational(e))
            {
                failure = any.IsCancellationRequested ? new TimeoutException(TimedOut(options.TryTimeout + transfer, overall.IsCancellationRequested), e) : e;
                kind = S3Failure.Judge(failure);
            }

            if (kind == S3FailureKind.Unclear)
            {
                unclear ??= S3Failure.Describe(failure);
            }

            ThrowIfSettled(call, kind, failure, unclear);
            var pause = PauseAfter(tries);
            var elapsed = time.GetElapsedTime(started);
            if (tries >= options.MaxTries || overall.IsCancellationRequested || elapsed + pause >= deadline)
            {
                throw new ObjectStoreException(
                    $"{store}: {call.Attempted}: gave up after {tries} {(tries == 1 ? "try" : "tries")} in {elapsed.TotalSeconds:0.0} s; the last: "
                    + S3Failure.Describe(failure) + Open(call, unclear),
                    failure);
            }

            await Task.Delay(pause, time, cancellation);
        }
    }

    private static string TimedOut(TimeSpan single, bool overall) =>
        overall ? "no answer before the deadline" : $"no answer within {single.TotalSeconds:0.###} s";

    private static string Open(S3Call call, string? unclear) => unclear is not null && call.Changes is { } changes ? $". It is unknown whether {changes}" : "";

    private void ThrowIfSettled(S3Call call, S3FailureKind kind, Exception failure, string? unclear)
    {
        var said = S3Failure.Describe(failure);
        switch (kind)
        {
            // The object is gone while a put named a version of it: that too is another state.
            case S3FailureKind.Condition or S3FailureKind.NotFound when unclear is not null && call.Changes is not null:
                throw new ObjectStoreException(
                    $"{store}: {call.Attempted}: an earlier try was lost ({unclear}), and then: {said}. It is unknown whether {call.Changes}", failure);
            case S3FailureKind.Condition:
                throw new ConditionFailedException($"{store}: {call.Attempted}: the condition does not hold: {said}", failure);
            case S3FailureKind.NotFound:
                throw new ObjectNotFoundException($"{store}: {call.Attempted}: there is no such object", failure);
            case S3FailureKind.Refused:
                throw new ObjectStoreException($"{store}: {call.Attempted}: {said}{Open(call, unclear)}", failure);
        }
    }

    private TimeSpan PauseAfter(int tries)
    {
        double share;
        lock (randomGate)
        {
            share = 0.5 + (random.NextDouble() / 2);
        }

        var doubled = options.FirstPause * Math.Pow(2, Math.Min(tries - 1, 30));
        return (doubled < options.LongestPause ? doubled : options.LongestPause) * share;
    }
}
