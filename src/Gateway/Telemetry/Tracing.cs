using System.Diagnostics;
using Metrics.Cluster;
using Metrics.Gateway.Configuration;
using Metrics.Gateway.Server;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Metrics.Gateway.Telemetry;

/// <summary>Traces: a span for each request, the query or write in it, each shard's part of that, and the blocks it reads. Off, none is made.</summary>
internal static class Tracing
{
    /// <summary>Makes the gateway's own spans.</summary>
    public static ActivitySource Source { get; } = new("Metrics.Gateway");

    /// <summary>Sends traces where the options say, until disposed; null when they name no place.</summary>
    /// <remarks>A client's <c>traceparent</c> (W3C) makes the request a part of its trace and decides whether it is sampled.</remarks>
    public static TracerProvider? Start(TelemetryOptions options)
    {
        if (options.TracesEndpoint.Length == 0)
        {
            return null;
        }

        return Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(static resource => resource.AddService("metrics", serviceVersion: BuildVersion.Own))
            .AddSource("Microsoft.AspNetCore", Source.Name, ClusterTracing.SourceName)
            .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(1.0 / options.TracesOneIn)))
            .AddOtlpExporter(exporter =>
            {
                var endpoint = new Uri(options.TracesEndpoint);
                exporter.Protocol = options.TracesProtocol == TraceProtocol.Http ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
                exporter.Endpoint = options.TracesProtocol == TraceProtocol.Http && endpoint.AbsolutePath == "/" ? new Uri(endpoint, "/v1/traces") : endpoint;
            })
            .Build();
    }
}
