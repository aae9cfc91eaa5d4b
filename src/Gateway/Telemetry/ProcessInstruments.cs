using System.Diagnostics;

namespace Metrics.Gateway.Telemetry;

/// <summary>What any process tells: CPU, memory, files, garbage collection. Names are those of Prometheus's client libraries.</summary>
internal static class ProcessInstruments
{
    /// <summary>Registers the families.</summary>
    public static void Register(MetricRegistry registry, DateTimeOffset startTime)
    {
        registry.Add(new Observed("process_cpu_seconds_total", "counter", "User and system CPU time spent.", sink => sink.Put("", [], Environment.CpuUsage.TotalTime.TotalSeconds)));
        registry.Add(new Observed("process_resident_memory_bytes", "gauge", "Resident memory.", sink => sink.Put("", [], Environment.WorkingSet)));
        registry.Add(new Observed("process_virtual_memory_bytes", "gauge", "Virtual memory.", sink =>
        {
            using var process = Process.GetCurrentProcess();
            sink.Put("", [], process.VirtualMemorySize64);
        }));
        registry.Add(new Observed("process_open_fds", "gauge", "Open file descriptors.", sink =>
        {
            if (Directory.Exists("/proc/self/fd"))
            {
                sink.Put("", [], Directory.GetFileSystemEntries("/proc/self/fd").Length);
            }
        }));
        registry.Add(new Observed("process_start_time_seconds", "gauge", "Start of the process, Unix seconds.", sink => sink.Put("", [], startTime.ToUnixTimeMilliseconds() / 1000.0)));
        registry.Add(new Observed("dotnet_threads", "gauge", "Threads of the thread pool.", sink => sink.Put("", [], ThreadPool.ThreadCount)));
        registry.Add(new Observed("dotnet_gc_heap_bytes", "gauge", "Bytes on the managed heap after the last collection.", sink => sink.Put("", [], GC.GetGCMemoryInfo().HeapSizeBytes)));
        registry.Add(new Observed("dotnet_gc_committed_bytes", "gauge", "Memory that the managed heap holds, in use or not.", sink => sink.Put("", [], GC.GetGCMemoryInfo().TotalCommittedBytes)));
        registry.Add(new Observed("dotnet_gc_allocated_bytes_total", "counter", "Bytes allocated on the managed heap.", sink => sink.Put("", [], GC.GetTotalAllocatedBytes())));
        registry.Add(new Observed("dotnet_gc_pause_seconds_total", "counter", "Time stopped for garbage collection.", sink => sink.Put("", [], GC.GetTotalPauseDuration().TotalSeconds)));
        registry.Add(new Observed("dotnet_gc_collections_total", "counter", "Garbage collections by generation.", sink =>
        {
            for (var generation = 0; generation <= GC.MaxGeneration; generation++)
            {
                sink.Put("", [("generation", generation.ToString())], GC.CollectionCount(generation));
            }
        }));
    }
}
