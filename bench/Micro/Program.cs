using BenchmarkDotNet.Running;

// Chosen by name: dotnet run -c Release --project bench/Micro -- --filter '*Snappy*'
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
