using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>The priority of threads that do long work: below all others, and no hurry.</summary>
/// <remarks>
/// Linux: niceness, which belongs to a thread there, and a long time slice. A thread that wakes takes the processor from one whose slice is longer than its own (from 6.12 on: the EEVDF scheduler's <c>PREEMPT_SHORT</c>;
/// before it the length is ignored), where otherwise even a nice one keeps it until the next tick of the clock, four milliseconds at each of the steps of a request. The share of the processors stays that of the niceness.
/// Neither needs a privilege. Elsewhere, and where a sandbox forbids it, all are equal but for what .NET does.
/// </remarks>
internal static partial class LongWorkPriority
{
    /// <summary>Above that of the process: a third of the weight of an ordinary thread, enough that a lock which is held here is not held for long.</summary>
    private const int Niceness = 5;

    private const int NicenessMax = 19;

    /// <summary>The kernel bears up to 100 ms; ordinary threads have about three.</summary>
    private const ulong SliceNs = 50_000_000;

    /// <summary>Gives it to the thread that calls.</summary>
    public static void Take()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var niceness = Math.Min(GetPriority(0, 0) + Niceness, NicenessMax);

        // Glibc has a function for it since 2.41 only.
        long? setAttributes = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 314,
            Architecture.Arm64 => 274,
            _ => null,
        };
        var attributes = new SchedulingAttributes { Size = (uint)Marshal.SizeOf<SchedulingAttributes>(), Niceness = niceness, RuntimeNs = SliceNs };
        if (setAttributes is not { } number || SystemCall(number, 0, in attributes, 0) != 0)
        {
            _ = SetPriority(0, 0, niceness);
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, int thread, in SchedulingAttributes attributes, uint flags);

    [LibraryImport("libc", EntryPoint = "getpriority")]
    private static partial int GetPriority(int which, uint who);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);

    /// <summary><c>struct sched_attr</c> of sched_setattr(2), as of its first version; the policy 0 is that of ordinary threads.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SchedulingAttributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Niceness;
        public uint RealTimePriority;
        public ulong RuntimeNs;
        public ulong DeadlineNs;
        public ulong PeriodNs;
    }
}
