using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Metrics.Storage;

namespace Metrics.Gateway.Cli.Tsdb;

/// <summary>Brings blocks into a tenant of a running server, ours or Mimir's: <c>/api/v1/upload/block</c>.</summary>
internal sealed class BlockUploadClient(HttpClient http, string tenant, TimeProvider time)
{
    private static readonly TimeSpan checkEvery = TimeSpan.FromMilliseconds(500);

    /// <summary>Uploads a block and waits until it is taken in; false when the server has it already.</summary>
    /// <param name="folder">The block on this machine.</param>
    /// <param name="keepLabels">Whether its external labels go along.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">The server can't be reached, or refuses the block.</exception>
    /// <exception cref="InvalidDataException">The block has no description, or a damaged one.</exception>
    public async Task<bool> UploadAsync(string folder, bool keepLabels, CancellationToken cancellation)
    {
        var read = BlockMeta.Read(folder);
        var files = new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
            .Select(f => new ThanosFile(Path.GetRelativePath(folder, f.FullName).Replace('\\', '/'), f.Length))
            .Where(f => f.RelPath == BlockReader.IndexFileName || f.RelPath.StartsWith("chunks/", StringComparison.Ordinal) || (f.RelPath == Tombstones.FileName && read.Stats.NumTombstones > 0))
            .OrderBy(f => f.RelPath, StringComparer.Ordinal).ToList();
        var thanos = read.Thanos ?? new ThanosMeta();

        // Labels of our own blocks say where they were, and are no labels of their series.
        var labels = keepLabels && read.Metrics?.HashRange is null ? thanos.Labels : new Dictionary<string, string>(StringComparer.Ordinal);
        var meta = read with { Thanos = thanos with { Files = [.. files, new ThanosFile(BlockMeta.FileName, null)], Labels = labels }, Metrics = null };
        using (var start = await SendAsync(HttpMethod.Post, $"{read.Ulid}/start", new ByteArrayContent(meta.ToJson()), cancellation))
        {
            if (start.StatusCode == HttpStatusCode.Conflict)
            {
                return false;
            }

            await CheckAsync(start, cancellation);
        }

        foreach (var file in files)
        {
            using var content = new StreamContent(File.OpenRead(Path.Combine(folder, file.RelPath)));
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            using var answer = await SendAsync(HttpMethod.Post, $"{read.Ulid}/files?path={Uri.EscapeDataString(file.RelPath)}", content, cancellation);
            await CheckAsync(answer, cancellation);
        }

        using (var finish = await SendAsync(HttpMethod.Post, $"{read.Ulid}/finish", null, cancellation))
        {
            await CheckAsync(finish, cancellation);
        }

        await WaitAsync(read.Ulid, cancellation);
        return true;
    }

    private async Task WaitAsync(Ulid block, CancellationToken cancellation)
    {
        while (true)
        {
            using var answer = await SendAsync(HttpMethod.Get, $"{block}/check", null, cancellation);
            await CheckAsync(answer, cancellation);
            try
            {
                using var state = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(cancellation));
                switch (state.RootElement.GetProperty("result").GetString())
                {
                    case "complete": return;
                    case "failed": throw new IOException($"the server refuses the block: {(state.RootElement.TryGetProperty("error", out var error) ? error.GetString() : "it does not say why")}");
                    case "uploading": throw new IOException("the server was interrupted while it took the block in; upload it again");
                }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
            {
                throw new IOException($"the server's answer about the block is none: {e.Message}", e);
            }

            await Task.Delay(checkEvery, time, cancellation);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, "api/v1/upload/block/" + path) { Content = content };
        request.Headers.Add("X-Scope-OrgID", tenant);
        try
        {
            return await http.SendAsync(request, cancellation);
        }
        catch (HttpRequestException e)
        {
            throw new IOException($"{http.BaseAddress}: {e.Message}", e);
        }
    }

    private static async Task CheckAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        if (!answer.IsSuccessStatusCode)
        {
            throw new IOException($"{answer.RequestMessage!.RequestUri} answered {(int)answer.StatusCode}: {(await answer.Content.ReadAsStringAsync(cancellation)).Trim()}");
        }
    }
}
