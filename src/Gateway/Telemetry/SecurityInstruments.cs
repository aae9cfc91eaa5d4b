namespace Metrics.Gateway.Telemetry;

/// <summary>What is counted of finding out who calls.</summary>
internal sealed class SecurityInstruments
{
    private readonly CounterVector reviews;

    /// <summary>Registers the families.</summary>
    public SecurityInstruments(MetricRegistry registry) =>
        reviews = registry.Add(new CounterVector("metrics_auth_token_reviews_total", "Tokens that a Kubernetes API server was asked about, by result: known, refused, unavailable.", ["result"], 8));

    /// <summary>An API server was asked about a token.</summary>
    public void OnTokenReviewed(string result) => reviews.Add(result, "", 1);
}
