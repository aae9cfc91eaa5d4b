using Metrics.Model;
using Metrics.Rules.Relabelling;

namespace Metrics.Rules.Notifying;

/// <summary>Sends alerts to Alertmanagers by their API v2. One per tenant.</summary>
/// <remarks>
/// Every Alertmanager has a queue and a loop of its own, so that one which is slow or gone holds up no other. Addresses found by DNS come and go;
/// a lookup that fails leaves the known ones. Thread-safe.
/// </remarks>
public sealed class AlertmanagerNotifier : INotifier, IAsyncDisposable
{
    private readonly NotifierOptions options;
    private readonly TimeProvider time;
    private readonly IDnsLookup dns;
    private readonly IRuleObserver? observer;
    private readonly CancellationTokenSource closing = new();
    private readonly List<AlertmanagerSet> sets = [];
    private readonly List<Task> lookups = [];

    /// <summary>Begins to send. Static addresses are there at once, others after their first lookup.</summary>
    /// <param name="options">Where to.</param>
    /// <param name="time">The clock.</param>
    /// <param name="dns">Looks names up; null for the system.</param>
    /// <param name="observer">Hears of lookups that failed.</param>
    /// <param name="connect">Opens connections for a set; null for real ones.</param>
    /// <exception cref="IOException">A certificate can't be read.</exception>
    public AlertmanagerNotifier(
        NotifierOptions options, TimeProvider time, IDnsLookup? dns = null, IRuleObserver? observer = null, Func<AlertmanagerSetOptions, HttpMessageHandler>? connect = null)
    {
        this.options = options;
        this.time = time;
        this.dns = dns ?? new SystemDnsLookup();
        this.observer = observer;
        foreach (var setOptions in options.Sets)
        {
            var set = new AlertmanagerSet(setOptions, options, time, Connect(setOptions, connect ?? AlertmanagerConnection.Open));
            set.Replace("static", setOptions.Targets);
            sets.Add(set);
            lookups.AddRange(setOptions.DnsNames.Select(name => LookUpAsync(set, name)));
        }
    }

    /// <summary>The Alertmanagers known now, with what was sent to each.</summary>
    public IReadOnlyList<(Uri Url, int QueueLength, AlertmanagerCounters Counters, string? LastError)> Alertmanagers =>
        [.. sets.SelectMany(static s => s.Queues).Select(static q => (q.Url, q.Length, q.Counters, q.LastError))];

    /// <inheritdoc/>
    public void Send(IReadOnlyList<AlertNotification> alerts)
    {
        var relabelled = Relabel(alerts, options.ExternalLabels, options.AlertRelabelling);
        foreach (var set in relabelled.Count > 0 ? sets : [])
        {
            set.Add(set.Options.AlertRelabelling.Count == 0 ? relabelled : Relabel(relabelled, Labels.Empty, set.Options.AlertRelabelling));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await closing.CancelAsync();
        await Task.WhenAll(lookups);
        await Task.WhenAll(sets.Select(static s => s.DisposeAsync().AsTask()));
        closing.Dispose();
    }

    private HttpMessageHandler Connect(AlertmanagerSetOptions set, Func<AlertmanagerSetOptions, HttpMessageHandler> connect) =>
        set.OAuth2 is { } oauth2 ? new OAuth2Handler(oauth2, connect(new AlertmanagerSetOptions { Tls = oauth2.Tls }), connect(set), time) : connect(set);

    private static List<AlertNotification> Relabel(IReadOnlyList<AlertNotification> alerts, Labels external, IReadOnlyList<RelabelRule> rules)
    {
        var kept = new List<AlertNotification>(alerts.Count);
        var builder = new LabelsBuilder();
        foreach (var alert in alerts)
        {
            builder.Reset(alert.Labels);
            foreach (var label in external)
            {
                if (builder.Get(label.Name).IsEmpty)
                {
                    builder.Set(label.Name, label.Value);
                }
            }

            if (RelabelRule.Apply(rules, builder))
            {
                kept.Add(alert with { Labels = builder.ToLabels() });
            }
        }

        return kept;
    }

    private async Task LookUpAsync(AlertmanagerSet set, DnsName name)
    {
        var source = $"{name.Type} {name.Name}:{name.Port}";
        try
        {
            while (true)
            {
                try
                {
                    set.Replace(source, await dns.ResolveAsync(name, closing.Token));
                }
                catch (IOException e)
                {
                    observer?.OnUpkeepFailed(name.Name, "looking up Alertmanagers", e);
                }

                await Task.Delay(name.Refresh, time, closing.Token);
            }
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            // The notifier stops.
        }
    }
}

/// <summary>The queues of one set.</summary>
internal sealed class AlertmanagerSet(AlertmanagerSetOptions set, NotifierOptions options, TimeProvider time, HttpMessageHandler handler) : IAsyncDisposable
{
    private readonly HttpClient http = new(handler) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly Lock sync = new();
    private readonly Dictionary<string, IReadOnlyList<Uri>> urlsBySource = new(StringComparer.Ordinal);
    private readonly Dictionary<Uri, AlertmanagerQueue> queues = [];
    private readonly List<Task> stopping = [];

    public AlertmanagerSetOptions Options => set;

    public IReadOnlyList<AlertmanagerQueue> Queues
    {
        get
        {
            lock (sync)
            {
                return [.. queues.Values];
            }
        }
    }

    /// <summary>Replaces the addresses that one source gave; queues of addresses that stay are left alone.</summary>
    public void Replace(string source, IReadOnlyList<string> addresses)
    {
        lock (sync)
        {
            urlsBySource[source] = [.. addresses.Select(UrlOf).OfType<Uri>()];
            var wanted = urlsBySource.Values.SelectMany(static u => u).ToHashSet();
            foreach (var url in queues.Keys.Where(u => !wanted.Contains(u)).ToList())
            {
                queues.Remove(url, out var gone);
                stopping.RemoveAll(static s => s.IsCompleted);
                stopping.Add(gone!.DisposeAsync().AsTask());
            }

            foreach (var url in wanted.Where(u => !queues.ContainsKey(u)))
            {
                var queue = new AlertmanagerQueue(url, http, set, options, time);
                queues.Add(url, queue);
                queue.Start();
            }
        }
    }

    public void Add(IReadOnlyList<AlertNotification> alerts)
    {
        lock (sync)
        {
            foreach (var queue in queues.Values)
            {
                queue.Add(alerts);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task[] all;
        lock (sync)
        {
            all = [.. stopping, .. queues.Values.Select(static q => q.DisposeAsync().AsTask())];
            queues.Clear();
        }

        await Task.WhenAll(all);
        http.Dispose();
    }

    /// <summary>The URL of an address, or null when relabelling drops it or leaves none.</summary>
    private Uri? UrlOf(string address)
    {
        var labels = new LabelsBuilder().Set("__address__", address).Set("__scheme__", set.Scheme).Set("__alerts_path__", PathOf(set.PathPrefix));
        if (!RelabelRule.Apply(set.TargetRelabelling, labels))
        {
            return null;
        }

        var made = labels.ToLabels();
        return Uri.TryCreate($"{made["__scheme__"]}://{made["__address__"]}{made["__alerts_path__"]}", UriKind.Absolute, out var url) ? url : null;
    }

    private static string PathOf(string prefix) => (prefix.Trim('/') is { Length: > 0 } inner ? "/" + inner : "") + "/api/v2/alerts";
}
