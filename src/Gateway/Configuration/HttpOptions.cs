namespace Metrics.Gateway.Configuration;

/// <summary>The network edge.</summary>
public sealed class HttpOptions
{
    /// <summary>Address and port; loopback by default because nothing here asks who is calling. 10902 is where Thanos's HTTP is expected. Port 0 takes a free one.</summary>
    [Setting("Address and port to listen on, e.g. 0.0.0.0:10902 or [::1]:10902.")]
    public string Listen { get; set; } = "127.0.0.1:10902";

    /// <summary>A path before every route, such as <c>/prometheus</c> (Mimir's); routes without it stay. Empty by default.</summary>
    [Setting("Every route is also served under this prefix, e.g. /prometheus as in Mimir.")]
    public string RoutePrefix { get; set; } = "";

    /// <summary>Open connections; one costs a few kilobytes, and thousands of agents keep one each. Beyond it new ones are closed.</summary>
    [Setting("The most open connections.", Min = "1", Max = "1000000")]
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>Milliseconds or more; how long requests in flight may take to end at shutdown. 30 s is what Kubernetes grants before it kills.</summary>
    [Setting("How long requests in flight may take to end at shutdown.", Min = "0", Max = "1h")]
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>HTTP/2 on connections with TLS, which agree on it; without, one port can't tell the two apart. Off because senders and Grafana speak HTTP/1.1 and a smaller edge is a safer one.</summary>
    [Setting("Accept HTTP/2 beside HTTP/1.1 on connections with TLS.")]
    public bool Http2 { get; set; }

    /// <summary>Deletion and snapshots (<c>/api/v1/admin/tsdb/*</c>). On, since by default only this machine can call; switch it off where others can and nothing in front tells them apart.</summary>
    [Setting("Serve deletion and snapshots under /api/v1/admin/tsdb.")]
    public bool AdminApi { get; set; } = true;

    /// <summary>Reading configuration again on request (<c>POST /-/reload</c>). On for the same reason; with authentication it takes an administrator.</summary>
    [Setting("Serve POST /-/reload; SIGHUP and the watch of files work without it.")]
    public bool EnableLifecycle { get; set; } = true;

    /// <summary>How often the files that are read while the server runs are looked at: overrides, credentials, keys, certificates, relabelling, rules.</summary>
    [Setting("How often overrides, credentials, certificates and rule files are looked at for changes; 0 for not at all.", Min = "0", Max = "1d")]
    public TimeSpan WatchEvery { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The origin that browsers may call from, <c>*</c> for any (Prometheus's default), empty for none.</summary>
    [Setting("Origin allowed to call from a browser: * for any, empty for none.")]
    public string CorsOrigin { get; set; } = "*";
}
