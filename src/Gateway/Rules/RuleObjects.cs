using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Metrics.Model;
using Metrics.ObjectStore;
using Metrics.PromQL.Parsing;
using Metrics.Rules.Files;
using Metrics.Rules.Groups;

namespace Metrics.Gateway.Rules;

/// <summary>What of a tenant's rules lies in long-term storage: the groups that were set through the API, and the state of all groups.</summary>
/// <remarks>
/// <code>
/// &lt;tenant&gt;/rules/groups/&lt;sha-256 of the namespace&gt;.yaml    a comment line with the namespace, then a rule file
/// &lt;tenant&gt;/rules/state/&lt;sha-256 of file;group&gt;.json         see GroupState
/// </code>
/// </remarks>
internal sealed class RuleObjects(IObjectStore store, TenantId tenant) : IRuleStateStore
{
    private const int MaxFileBytes = 16 << 20;
    private const int MaxStateBytes = 256 << 20;
    private const string NamespacePrefix = "# namespace: ";

    // The versions of states that this owner wrote or read last; a save by anyone else in between shows.
    private readonly ConcurrentDictionary<string, ObjectVersion> versions = new(StringComparer.Ordinal);

    // What was read last, so that what is looked for again and again is parsed but once, and groups that are the same are seen to be.
    private readonly ConcurrentDictionary<string, (ObjectVersion Version, string Namespace, RuleFile File)> parsed = new(StringComparer.Ordinal);

    /// <summary>The tenants that have groups set through the API.</summary>
    public static async IAsyncEnumerable<TenantId> TenantsAsync(IObjectStore store, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var folder in store.ListFoldersAsync("", cancellation))
        {
            if (TenantId.TryParse(folder, out var id, out _))
            {
                await foreach (var _ in store.ListAsync($"{folder}/rules/groups/", cancellation))
                {
                    yield return id;
                    break;
                }
            }
        }
    }

    /// <summary>All namespaces with their files, ascending by name.</summary>
    /// <exception cref="InvalidDataException">An object is damaged.</exception>
    public async ValueTask<SortedDictionary<string, RuleFile>> NamespacesAsync(CancellationToken cancellation)
    {
        var found = new SortedDictionary<string, RuleFile>(StringComparer.Ordinal);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var info in store.ListAsync($"{tenant}/rules/groups/", cancellation))
        {
            keys.Add(info.Key);
            if (await ReadAsync(info.Key, cancellation) is { } file)
            {
                found[file.Namespace] = file.File;
            }
        }

        foreach (var gone in parsed.Keys.Where(k => !keys.Contains(k)))
        {
            parsed.TryRemove(gone, out _);
        }

        return found;
    }

    /// <summary>Changes a namespace: <paramref name="change"/> gets its groups and gives the new ones; none removes it. Tried again when someone else was quicker.</summary>
    public async ValueTask ChangeAsync(string name, Func<IReadOnlyList<RuleGroupSpec>, IReadOnlyList<RuleGroupSpec>> change, CancellationToken cancellation)
    {
        var key = $"{tenant}/rules/groups/{Hash(name)}.yaml";
        while (true)
        {
            var stored = await store.GetAsync(key, MaxFileBytes, cancellation);
            var groups = change(stored is null ? [] : Parse(key, stored.Content).File.Groups);
            if (groups.Count == 0)
            {
                await store.DeleteAsync(key, cancellation);
                return;
            }

            var text = $"{NamespacePrefix}{Convert.ToBase64String(Encoding.UTF8.GetBytes(name))}\n{RuleFileWriter.Write(new RuleFile(groups))}";
            try
            {
                await store.PutAsync(key, Encoding.UTF8.GetBytes(text), stored is null ? PutCondition.Absent : PutCondition.Unchanged(stored.Version), cancellation);
                return;
            }
            catch (ConditionFailedException)
            {
                // Another request changed it in between; read anew.
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<GroupState?> LoadAsync(string groupKey, CancellationToken cancellation)
    {
        var key = StateKey(groupKey);
        if (await store.GetAsync(key, MaxStateBytes, cancellation) is not { } stored)
        {
            return null;
        }

        versions[key] = stored.Version;
        return GroupState.FromJson(stored.Content);
    }

    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">Another owner has saved the state since: this one must stop.</exception>
    public async ValueTask SaveAsync(string groupKey, GroupState state, CancellationToken cancellation)
    {
        var key = StateKey(groupKey);
        var condition = versions.TryGetValue(key, out var version) ? PutCondition.Unchanged(version) : await ConditionAsync(groupKey, state, cancellation);
        try
        {
            versions[key] = await store.PutAsync(key, state.ToJson(), condition, cancellation);
        }
        catch (ConditionFailedException e)
        {
            throw new OperationCanceledException($"another owner evaluates {groupKey}", e);
        }
        catch (ObjectStoreException)
        {
            // It may have been stored all the same; the next save looks.
            versions.TryRemove(key, out _);
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask RemoveAsync(string groupKey, CancellationToken cancellation)
    {
        versions.TryRemove(StateKey(groupKey), out _);
        return store.DeleteAsync(StateKey(groupKey), cancellation);
    }

    /// <summary>The condition of a save when it is not known what is stored: it must be this owner's, and not ahead.</summary>
    private async ValueTask<PutCondition> ConditionAsync(string groupKey, GroupState state, CancellationToken cancellation)
    {
        if (await LoadAsync(groupKey, cancellation) is not { } stored)
        {
            return PutCondition.Absent;
        }

        if (stored.Owner != state.Owner || stored.LastTickMs > state.LastTickMs)
        {
            // Looking at it is no leave to replace it.
            versions.TryRemove(StateKey(groupKey), out _);
            throw new OperationCanceledException($"another owner evaluates {groupKey}");
        }

        return PutCondition.Unchanged(versions[StateKey(groupKey)]);
    }

    private string StateKey(string groupKey) => $"{tenant}/rules/state/{Hash(groupKey)}.json";

    private async ValueTask<(string Namespace, RuleFile File)?> ReadAsync(string key, CancellationToken cancellation)
    {
        if (await store.GetAsync(key, MaxFileBytes, cancellation) is not { } stored)
        {
            return null;
        }

        if (!parsed.TryGetValue(key, out var known) || known.Version != stored.Version)
        {
            var (name, file) = Parse(key, stored.Content);
            known = parsed[key] = (stored.Version, name, file);
        }

        return (known.Namespace, known.File);
    }

    private static (string Namespace, RuleFile File) Parse(string key, byte[] content)
    {
        var text = Encoding.UTF8.GetString(content);
        var end = text.IndexOf('\n');
        if (end < 0 || !text.StartsWith(NamespacePrefix, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{key}: no namespace in the first line");
        }

        var result = RuleFileReader.Read(text, ParseOptions.All);
        return result.File is { } file
            ? (Encoding.UTF8.GetString(Convert.FromBase64String(text[NamespacePrefix.Length..end])), file)
            : throw new InvalidDataException($"{key}: {result.Errors[0].Message}");
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
