using BenchmarkDotNet.Running;

// Chosen by name, in this process, since the project's file does not bear its assembly's name:
// dotnet run -c Release --project bench/Micro -- --inProcess --filter '*Snappy*'
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
