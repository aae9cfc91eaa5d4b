using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;

namespace Metrics.EndToEnd.Programs;

/// <summary>A real program started by a test, on loopback, with its output kept; ended when disposed.</summary>
internal sealed partial class RunningProgram : IDisposable
{
    private const int SigHup = 1;
    private const int SigTerm = 15;
    private readonly Process process;
    private readonly StringBuilder output = new();

    private RunningProgram(Process process) => this.process = process;

    public string Name { get; private init; } = "";

    public int ProcessId => process.Id;

    public bool HasExited => process.HasExited;

    public string Output
    {
        get
        {
            lock (output)
            {
                return output.ToString();
            }
        }
    }

    public static RunningProgram Start(string file, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        var started = new Process { StartInfo = start };
        var program = new RunningProgram(started) { Name = Path.GetFileName(file) };
        started.OutputDataReceived += program.Keep;
        started.ErrorDataReceived += program.Keep;
        started.Start();
        started.BeginOutputReadLine();
        started.BeginErrorReadLine();
        return program;
    }

    /// <summary>Runs a program to its end and gives what it wrote and its exit code.</summary>
    public static async Task<(int ExitCode, string Output)> RunAsync(string file, params string[] arguments)
    {
        using var program = Start(file, arguments);
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await program.process.WaitForExitAsync(patience.Token);
        return (program.process.ExitCode, program.Output);
    }

    /// <summary>Waits until the address answers 200.</summary>
    public async Task WaitReadyAsync(HttpClient http, Uri address, TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        while (true)
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"{Name} ended with {process.ExitCode} before {address} answered:\n{Output}");
            }

            try
            {
                using var answer = await http.GetAsync(address, limit.Token);
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            catch (OperationCanceledException e)
            {
                throw new TimeoutException($"{Name} did not answer {address} within {patience}:\n{Output}", e);
            }

            await Task.Delay(50, CancellationToken.None);
        }
    }

    /// <summary>kill -9: no handler runs, no buffer of the process is flushed.</summary>
    public void Kill()
    {
        process.Kill();
        process.WaitForExit();
    }

    /// <summary>SIGHUP.</summary>
    public void HangUp() => Send(SigHup);

    /// <summary>Waits until it ends by itself; gives the exit code.</summary>
    public async Task<int> EndAsync(TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience);
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode;
    }

    /// <summary>SIGTERM; gives the exit code.</summary>
    public async Task<int> TerminateAsync(TimeSpan patience)
    {
        Send(SigTerm);
        using var limit = new CancellationTokenSource(patience);
        await process.WaitForExitAsync(limit.Token);
        return process.ExitCode;
    }

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill();
            process.WaitForExit();
        }

        process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Signal(int processId, int signal);

    private void Send(int signal)
    {
        if (Signal(process.Id, signal) != 0)
        {
            throw new InvalidOperationException($"could not signal {Name}: errno {Marshal.GetLastPInvokeError()}");
        }
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (output)
        {
            output.AppendLine(line.Data);
        }
    }
}
