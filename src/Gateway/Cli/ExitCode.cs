namespace Metrics.Gateway.Cli;

/// <summary>How the program ends.</summary>
internal static class ExitCode
{
    /// <summary>All went well.</summary>
    public const int Ok = 0;

    /// <summary>It was tried and failed; standard error says why.</summary>
    public const int Failure = 1;

    /// <summary>Arguments or configuration are wrong; nothing was tried.</summary>
    public const int Usage = 2;
}
