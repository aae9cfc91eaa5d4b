using Metrics.Model;

namespace Metrics.Rules.Notifying;

/// <summary>An alert as Alertmanagers are told of it.</summary>
/// <param name="Labels">What identifies it.</param>
/// <param name="Annotations">What describes it, ascending by name.</param>
/// <param name="StartsAtMs">When it fired, Unix milliseconds; null when it never did.</param>
/// <param name="EndsAtMs">When it ended or, of a firing one, until when it holds if nothing more is heard of it.</param>
/// <param name="GeneratorUrl">Where its expression is shown.</param>
public sealed record AlertNotification(
    Labels Labels, IReadOnlyList<KeyValuePair<string, string>> Annotations, long? StartsAtMs, long EndsAtMs, string GeneratorUrl);

/// <summary>Takes alerts to tell about. Never blocks: what cannot be sent soon is queued, and dropped when there is too much.</summary>
public interface INotifier
{
    /// <summary>Queues notifications.</summary>
    void Send(IReadOnlyList<AlertNotification> alerts);
}
