namespace Metrics.Gateway.Configuration;

/// <summary>What a silo is there for.</summary>
public enum SiloRole
{
    /// <summary>It takes requests and holds shards.</summary>
    All,

    /// <summary>It takes requests and holds nothing: it needs no disk.</summary>
    Gateway,

    /// <summary>It holds shards; over HTTP it only says how it is.</summary>
    Shards,
}

/// <summary>How a silo of a cluster is part of it. The single process has none of this.</summary>
public sealed class ClusterSettings
{
    /// <summary>Any silo can do all; separate roles let queries and shards grow apart.</summary>
    [Setting("What this silo is there for: all, gateway (no shards) or shards (no requests).", Flag = "role")]
    public SiloRole Role { get; set; } = SiloRole.All;

    /// <summary>Several clusters may share a bucket, when their tenants differ.</summary>
    [Setting("Name of the cluster: silos of one name and bucket find each other.")]
    public string Name { get; set; } = "metrics";

    /// <summary>Replicas of a log go to different zones while there are enough.</summary>
    [Setting("What this silo shares a fate with: rack, room, availability zone.", Flag = "zone")]
    public string Zone { get; set; } = "";

    /// <summary>"Hard" tenants have silos of their own, "soft" ones share the others.</summary>
    [Setting("Tenants that have this silo to themselves, by name or with * and ?; empty for all that have none of their own.")]
    public IReadOnlyList<string> Tenants { get; set; } = [];

    /// <summary>Orleans's own port.</summary>
    [Setting("Address and port for other silos; never for the outside: who reaches it is trusted.")]
    public string Listen { get; set; } = "0.0.0.0:11111";

    /// <summary>Empty: the address listened on, or, for every address, the first of this machine that is not its loopback.</summary>
    [Setting("IP address at which other silos reach this one; empty to find out.")]
    public string AdvertisedAddress { get; set; } = "";

    /// <summary>Silos then show each other certificates; all of a cluster, or none.</summary>
    [Setting("Certificate that this silo shows to others, PEM, with its chain; empty for no TLS between silos.")]
    public string TlsCertFile { get; set; } = "";

    /// <summary>Read again, as the others, when it has changed.</summary>
    [Setting("Key of the certificate, PEM.")]
    public string TlsKeyFile { get; set; } = "";

    /// <summary>Best one of this cluster's own: whoever has a certificate of it is taken for a silo.</summary>
    [Setting("Authorities that certificates of other silos must be of, PEM.")]
    public string TlsCaFile { get; set; } = "";

    /// <summary>Three: one silo may die at any time and writes go on.</summary>
    [Setting("Replicas of each shard's log, its owner's included; written when a majority has it.", Min = "1", Max = "7")]
    public int ReplicationFactor { get; set; } = 3;

    /// <summary>A silo that misses three of these in a row is suspected by one, and gone when two say so: six seconds, longer than a garbage collection and shorter than a sender's patience.</summary>
    [Setting("How long another silo may take to say that it lives; it is given up after three in a row.", Min = "500ms", Max = "1m")]
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>A small put each into the bucket. When all silos were lost at once, those that come wait for three of these before they take the others for dead: 45 seconds, longer than a bucket is away in passing.</summary>
    [Setting("How often a silo writes into the bucket that it lives; all silos lost at once are given up after three.", Min = "1s", Max = "5m")]
    public TimeSpan AliveEvery { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>A shard without calls costs its files and some memory; opened again it costs a takeover.</summary>
    [Setting("A shard that nobody asks for so long is flushed and closed until somebody does.", Min = "1m", Max = "30d")]
    public TimeSpan IdleAfter { get; set; } = TimeSpan.FromHours(1);

    /// <summary>For hand-overs of some hundred shards.</summary>
    [Setting("How long a silo that stops may take to hand its shards over.", Min = "0", Max = "1h")]
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Often enough for a silo that has just come.</summary>
    [Setting("How often shards are moved from silos that do much to those that do little, one at a time; 0 for never.", Min = "0", Max = "1d")]
    public TimeSpan BalanceEvery { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Placement may be so much out of date, and a hundred silos send two thousand small messages a second.</summary>
    [Setting("How often a silo tells the others how it is, and what it holds.", Min = "100ms", Max = "1m")]
    public TimeSpan ReportEvery { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>A disk that is away for longer than a machine takes to boot may be away for good; with one replica nothing else is left then but to go on.</summary>
    [Setting("How long a log of one replica is waited for before its shard begins without it.", Min = "0", Max = "30d")]
    public TimeSpan LogGrace { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Never by itself: a majority that is away for a while still has all that was acknowledged.</summary>
    [Setting("An operator's word that replicas that can't be reached will not come back: after log_grace shards begin without them.")]
    public bool AbandonLostLogs { get; set; }
}
