using Metrics.Gateway.Configuration;

namespace Metrics.Gateway.Influx;

/// <summary>How points of InfluxDB's line protocol become series. The defaults are Mimir's; with names left alone and a label for the database they are VictoriaMetrics'.</summary>
public sealed class InfluxOptions
{
    /// <summary>What stands between measurement and field in the name of a series; Mimir and VictoriaMetrics have an underscore.</summary>
    [Setting("What stands between measurement and field in the name of a series.")]
    public string MeasurementFieldSeparator { get; set; } = "_";

    /// <summary>Names the series of a field called <c>value</c> after the measurement alone, as Mimir does: senders that bridge other protocols call every field so.</summary>
    [Setting("Name the series of a field called value after the measurement alone.")]
    public bool OmitValueField { get; set; } = true;

    /// <summary>Makes underscores of what is no letter, digit or underscore in names, as Mimir does, so that PromQL needs no quotes for them.</summary>
    [Setting("Make underscores of what is no letter, digit or underscore in names.")]
    public bool EscapeNames { get; set; } = true;

    /// <summary>The label that holds the parameter <c>db</c> (or <c>bucket</c>) of a request; VictoriaMetrics has <c>db</c>. Empty, as in Mimir, for none.</summary>
    [Setting("Label that holds the database (db or bucket) of a request; empty for none.")]
    public string DatabaseLabel { get; set; } = "";
}
