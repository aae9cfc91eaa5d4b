using System.Runtime.InteropServices;

namespace Metrics.Model;

/// <summary>A long time slice for threads that do long work: they keep a processor while nobody else wants it, and give it away at once when somebody does.</summary>
/// <remarks>
/// From Linux 6.12 on a thread that wakes takes the processor from one whose slice is longer than its own (the EEVDF scheduler's <c>PREEMPT_SHORT</c>), where it otherwise waits for the next tick of the clock, four
/// milliseconds at each of the steps of a request. What each gets in all stays equal; dividing that is the matter of <see cref="ProcessorShares"/>. It needs no privilege. Elsewhere, and where a sandbox forbids it, nothing changes.
/// <para>
/// Not niceness: the runtime starts a worker of its pool on the thread that needs one, and it would inherit that of a long query for good, for nothing but a privilege takes it back. A slice ends with the thread
/// (<c>SCHED_FLAG_RESET_ON_FORK</c>).
/// </para>
/// </remarks>
internal static partial class LongTimeSlice
{
    /// <summary>The kernel bears up to 100 ms; other threads have one to three.</summary>
    private const ulong SliceNs = 50_000_000;

    private const ulong ResetOnFork = 1;

    /// <summary>Gives it to the thread that calls.</summary>
    public static void Take()
    {
        // Glibc has a function for it since 2.41 only.
        long? setAttributes = (OperatingSystem.IsLinux(), RuntimeInformation.ProcessArchitecture) switch
        {
            (true, Architecture.X64) => 314,
            (true, Architecture.Arm64) => 274,
            _ => null,
        };
        if (setAttributes is { } number)
        {
            var attributes = new SchedulingAttributes { Size = (uint)Marshal.SizeOf<SchedulingAttributes>(), Flags = ResetOnFork, Niceness = GetPriority(0, 0), RuntimeNs = SliceNs };
            _ = SystemCall(number, 0, in attributes, 0);
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, int thread, in SchedulingAttributes attributes, uint flags);

    [LibraryImport("libc", EntryPoint = "getpriority")]
    private static partial int GetPriority(int which, uint who);

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
