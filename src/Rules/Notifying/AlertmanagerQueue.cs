using System.Net.Http.Headers;

namespace Metrics.Rules.Notifying;

/// <summary>What was sent to one Alertmanager, and what was not. Thread-safe.</summary>
public sealed class AlertmanagerCounters
{
    private long sent;
    private long errors;
    private long dropped;

    /// <summary>Alerts it took (<c>notifications_sent_total</c>).</summary>
    public long Sent => Interlocked.Read(ref sent);

    /// <summary>Alerts it did not take (<c>notifications_errors_total</c>).</summary>
    public long Errors => Interlocked.Read(ref errors);

    /// <summary>Alerts that were given up, because the queue was full or a request failed (<c>notifications_dropped_total</c>).</summary>
    public long Dropped => Interlocked.Read(ref dropped);

    internal void CountSent(int alerts) => Interlocked.Add(ref sent, alerts);

    internal void CountErrors(int alerts) => Interlocked.Add(ref errors, alerts);

    internal void CountDropped(int alerts) => Interlocked.Add(ref dropped, alerts);
}

/// <summary>The alerts that wait for one Alertmanager, and the loop that sends them, batch after batch.</summary>
/// <remarks>A batch that fails is given up, as in Prometheus: what still holds is sent again after the resend delay, and resolved alerts for a quarter of an hour.</remarks>
internal sealed class AlertmanagerQueue(Uri url, HttpClient http, AlertmanagerSetOptions set, NotifierOptions options, TimeProvider time) : IAsyncDisposable
{
    private readonly Lock sync = new();
    private readonly Queue<AlertNotification> waiting = new();
    private readonly SemaphoreSlim work = new(0);
    private readonly CancellationTokenSource closing = new();
    private volatile bool isStopping;
    private Task? running;

    /// <summary>Where it sends.</summary>
    public Uri Url => url;

    /// <summary>What happened.</summary>
    public AlertmanagerCounters Counters { get; } = new();

    /// <summary>Alerts waiting now.</summary>
    public int Length
    {
        get
        {
            lock (sync)
            {
                return waiting.Count;
            }
        }
    }

    /// <summary>Why the last request failed; null after one that did not.</summary>
    public string? LastError { get; private set; }

    /// <summary>Begins to send.</summary>
    public void Start() => running = Task.Run(SendLoopAsync);

    /// <summary>Queues alerts; the oldest go when there are too many.</summary>
    public void Add(IReadOnlyList<AlertNotification> alerts)
    {
        lock (sync)
        {
            foreach (var alert in alerts)
            {
                waiting.Enqueue(alert);
            }

            var tooMany = waiting.Count - options.QueueCapacity;
            for (var i = 0; i < tooMany; i++)
            {
                waiting.Dequeue();
            }

            Counters.CountDropped(Math.Max(tooMany, 0));
        }

        work.Release();
    }

    /// <summary>Sends what waits, within the drain time, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        isStopping = true;
        work.Release();
        if (running is not null)
        {
            try
            {
                await running.WaitAsync(options.DrainTime, time);
            }
            catch (TimeoutException)
            {
                await closing.CancelAsync();
                await running;
            }
        }

        Counters.CountDropped(Length);
        closing.Dispose();
        work.Dispose();
    }

    private async Task SendLoopAsync()
    {
        while (!closing.IsCancellationRequested)
        {
            var batch = NextBatch();
            if (batch.Count > 0)
            {
                await SendAsync(batch);
            }
            else if (isStopping)
            {
                return;
            }
            else
            {
                await work.WaitAsync();
            }
        }
    }

    private List<AlertNotification> NextBatch()
    {
        lock (sync)
        {
            var batch = new List<AlertNotification>(Math.Min(waiting.Count, options.BatchSize));
            while (batch.Count < options.BatchSize && waiting.TryDequeue(out var alert))
            {
                batch.Add(alert);
            }

            return batch;
        }
    }

    private async Task SendAsync(List<AlertNotification> batch)
    {
        try
        {
            await PostAsync(batch);
            Counters.CountSent(batch.Count);
            LastError = null;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or UnauthorizedAccessException or FormatException)
        {
            Counters.CountErrors(batch.Count);
            Counters.CountDropped(batch.Count);
            LastError = e is OperationCanceledException ? $"no answer within {set.Timeout}" : e.Message;
        }
    }

    private async Task PostAsync(List<AlertNotification> batch)
    {
        using var timeout = new CancellationTokenSource(set.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, closing.Token);
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(AlertmanagerPayload.Write(batch)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (set.Authorization is { } authorization)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization());
        }

        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"bad response status {(int)answer.StatusCode} {answer.ReasonPhrase}", null, answer.StatusCode);
        }
    }
}
