using Metrics.Cluster;
using Metrics.Gateway.RemoteWrite;
using Metrics.Gateway.Security;
using Metrics.Model;

namespace Metrics.Gateway.Tenancy;

/// <summary>Appends a write whose series name their tenants by a label; see <see cref="TenantSplit"/>.</summary>
internal sealed class SplitAppender(WriteIntake intake, TenantResolver tenants, string label)
{
    /// <summary>Appends all parts; one that is refused whole refuses the request once the others are stored, which a retry does not double.</summary>
    /// <exception cref="WriteRefusal">The caller may not write to one of the tenants, and nothing was stored; or a part was refused.</exception>
    public async ValueTask<WriteOutcome> AppendAsync(Caller caller, TenantId own, WriteProtocol protocol, ReadOnlyMemory<byte> message, int sentBytes)
    {
        TenantSplit.SplitMessage split;
        try
        {
            split = TenantSplit.Split(message.Span, protocol, label, own, intake.MaxMessage);
        }
        catch (FormatException e)
        {
            throw WriteRefusal.Malformed($"remote write: {e.Message}");
        }

        var parts = split.Parts.ToList();
        foreach (var (tenant, _) in parts)
        {
            if (!tenants.TryAdmit(tenant, caller, out var status, out var error))
            {
                throw new WriteRefusal(status, error);
            }
        }

        var whole = new WriteOutcome(0, 0, 0, split.Rejections, null) { IsShut = parts.Count > 0 };
        WriteRefusal? refusal = null;
        foreach (var (tenant, part) in parts)
        {
            try
            {
                var bytes = parts.Count == 1 ? sentBytes : (int)((long)sentBytes * part.Length / Math.Max(1, parts.Sum(static p => (long)p.Message.Length)));
                var outcome = await intake.AppendAsync(tenant, WriteAppender.ReaderOf(protocol), part, bytes);
                whole = new WriteOutcome(
                    whole.Accepted + outcome.Accepted, whole.AcceptedHistograms + outcome.AcceptedHistograms, whole.AcceptedExemplars + outcome.AcceptedExemplars, [.. whole.Rejections, .. outcome.Rejections], null)
                {
                    LeftOut = whole.LeftOut + outcome.LeftOut,
                    IsShut = whole.IsShut && outcome.IsShut,
                };
            }
            catch (WriteRefusal e)
            {
                refusal ??= e;
            }
        }

        return refusal is null ? whole : throw refusal;
    }
}
