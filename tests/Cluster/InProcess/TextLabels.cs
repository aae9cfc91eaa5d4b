using System.Text;

namespace Metrics.Cluster.Silos.InProcess;

/// <summary>A label format for tests: names and values, each with a zero byte behind it.</summary>
internal readonly struct TextLabels : ILabelFormat
{
    public static byte[] Encode(params (string Name, string Value)[] labels) => Encoding.UTF8.GetBytes(string.Concat(labels.Select(l => $"{l.Name}\0{l.Value}\0")));

    public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = default;
        value = default;
        if (rest.IsEmpty)
        {
            return false;
        }

        name = Text(ref rest);
        value = Text(ref rest);
        return true;
    }

    private static ReadOnlySpan<byte> Text(scoped ref ReadOnlySpan<byte> from)
    {
        var end = from.IndexOf((byte)0);
        var text = from[..end];
        from = from[(end + 1)..];
        return text;
    }
}
