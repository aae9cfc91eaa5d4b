namespace Metrics.Gateway.BlockUpload;

/// <summary>A request about the upload of a block can't be done.</summary>
internal sealed class UploadRefusedException(int status, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;
}
