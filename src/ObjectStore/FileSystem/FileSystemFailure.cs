namespace Metrics.ObjectStore;

/// <summary>Puts what the file system says into the words of <see cref="IObjectStore"/>.</summary>
internal static class FileSystemFailure
{
    private const int NoSpace = 28;
    private const int QuotaExceededLinux = 122;
    private const int QuotaExceededMac = 69;
    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WindowsHandleDiskFull = unchecked((int)0x80070027);

    /// <summary>True for what a file system throws.</summary>
    public static bool Is(Exception e) => e is (IOException and not ObjectStoreException) or UnauthorizedAccessException;

    public static bool IsFull(Exception e) =>
        e.HResult is NoSpace or WindowsDiskFull or WindowsHandleDiskFull
        || e.HResult == (OperatingSystem.IsMacOS() ? QuotaExceededMac : QuotaExceededLinux);

    /// <summary>What was tried on what, and why it failed; a full disk is named as one.</summary>
    public static ObjectStoreException Explain(string store, string attempted, Exception e) =>
        new($"{store}: {attempted}: {(IsFull(e) ? "the disk is full: " : "")}{e.Message}", e);
}
