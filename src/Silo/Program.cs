using Metrics.Gateway.Cli;
using Metrics.Silo;

return await CommandLine.RunAsync(args, SiloCluster.OpenAsync, Console.Out, Console.Error, CancellationToken.None);
