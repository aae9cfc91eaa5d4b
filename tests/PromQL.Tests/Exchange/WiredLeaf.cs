using Metrics.Model;
using Xunit;

namespace Metrics.PromQL.Tests.Exchange;

/// <summary>A leaf that is asked, and answers, in bytes.</summary>
internal sealed class WiredLeaf(IQueryLeaf leaf) : IQueryLeaf
{
    public async ValueTask<FragmentResult> RunAsync(Fragment fragment, CancellationToken cancellation)
    {
        var asked = new ByteWriter();
        FragmentBytes.Write(asked, fragment);
        var arrived = Fragment(asked.Written.Span);
        Assert.Equal(fragment with { Plan = null, Added = null, Memory = null }, arrived with { Added = null });
        Assert.Equal((fragment.Added?.Name, fragment.Added?.Value), (arrived.Added?.Name, arrived.Added?.Value));
        var answered = new ByteWriter();
        using (var result = await leaf.RunAsync(arrived, cancellation))
        {
            FragmentResultBytes.Write(answered, result);
        }

        return Result(answered.Written.Span);
    }

    public static Fragment Fragment(ReadOnlySpan<byte> bytes)
    {
        var from = new ByteReader(bytes);
        var fragment = FragmentBytes.Read(ref from);
        from.End();
        return fragment;
    }

    public static FragmentResult Result(ReadOnlySpan<byte> bytes)
    {
        var from = new ByteReader(bytes);
        var result = FragmentResultBytes.Read(ref from);
        from.End();
        return result;
    }
}
