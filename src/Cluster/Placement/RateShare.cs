namespace Metrics.Cluster;

/// <summary>How a tenant's rate is shared between the processes that take its requests: by what each is sent, so that it does not matter how senders are spread.</summary>
public static class RateShare
{
    /// <summary>The part that is shared evenly whatever is sent: a process that nothing was sent to has something to begin with, until the others know.</summary>
    public const double Even = 0.1;

    /// <summary>The share of one process, 0 to 1; those of all are 1 together, as far as they know the same of each other.</summary>
    /// <param name="own">What it is sent a second, refused or not.</param>
    /// <param name="others">What all others together are.</param>
    /// <param name="processes">How many there are, it included; 1 at least.</param>
    public static double Of(double own, double others, int processes)
    {
        var all = own + others;
        return all <= 0 ? 1.0 / processes : (Even / processes) + ((1 - Even) * own / all);
    }
}
