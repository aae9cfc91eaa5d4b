using System.Diagnostics.CodeAnalysis;

namespace Metrics.Storage;

/// <summary>Raises the one error that damaged bytes of a block cause.</summary>
internal static class BlockDamage
{
    /// <summary>Says which file is damaged, where and how.</summary>
    [DoesNotReturn]
    public static void Throw(string file, long offset, string reason) => throw At(file, offset, reason);

    /// <summary>The error, for expressions.</summary>
    public static InvalidDataException At(string file, long offset, string reason) => new($"{file}: offset {offset}: {reason}");
}
