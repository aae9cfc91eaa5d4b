using Metrics.Gateway.Cli;

return await CommandLine.RunAsync(args, LocalCluster.OpenAsync, Console.Out, Console.Error, CancellationToken.None);
