using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Amazon.Runtime;
using Amazon.S3;
using Metrics.Model;

namespace Metrics.ObjectStore;

/// <summary>Sets up the SDK so that it does one request per call: retries, timeouts and checks are ours.</summary>
internal static class S3Connection
{
    /// <summary>The client, and the HTTP client beneath it, which the caller disposes too.</summary>
    /// <exception cref="ObjectStoreException">A certificate file can't be read.</exception>
    public static (AmazonS3Client Client, HttpClient Http) Open(S3Options options)
    {
        var http = new HttpClient(new WholeAnswers(Handler(options))) { Timeout = Timeout.InfiniteTimeSpan };
        var configuration = new AmazonS3Config
        {
            ServiceURL = $"{(options.Insecure ? "http" : "https")}://{options.Endpoint}",
            AuthenticationRegion = options.Region.Length > 0 ? options.Region : RegionOf(options.Endpoint),
            ForcePathStyle = options.Lookup == BucketLookup.Path || (options.Lookup == BucketLookup.Auto && !IsAmazon(options.Endpoint)),
            IgnoreConfiguredEndpointUrls = true,
            HttpClientFactory = new OneClient(http),
            CacheHttpClient = false,
            // A retry we don't see would hide that a conditional put may have happened twice.
            MaxErrorRetry = 0,
            MaxStaleConnectionRetries = 0,
            ThrottleRetries = false,
            Timeout = Timeout.InfiniteTimeSpan,
            // The newer checksums are unknown to many servers; the signature covers what we send, and lengths are checked on what we get.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            DisableRequestCompression = true,
            DisableLogging = true,
        };
        return (options.AccessKey.Length == 0 ? new AmazonS3Client(configuration) : new AmazonS3Client(Credentials(options), configuration), http);
    }

    internal static bool IsAmazon(string endpoint)
    {
        var host = HostOf(endpoint);
        return host.EndsWith(".amazonaws.com", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".amazonaws.com.cn", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The region in <c>s3.REGION.amazonaws.com</c> and <c>s3.dualstack.REGION.amazonaws.com</c>; elsewhere the one most servers expect.</summary>
    internal static string RegionOf(string endpoint)
    {
        var parts = HostOf(endpoint).Split('.');
        var amazon = Array.IndexOf(parts, "amazonaws");
        return IsAmazon(endpoint) && amazon >= 2 && parts[amazon - 1].Contains('-') ? parts[amazon - 1] : "us-east-1";
    }

    private static string HostOf(string endpoint) => Uri.TryCreate($"https://{endpoint}", UriKind.Absolute, out var address) ? address.Host : endpoint;

    private static AWSCredentials Credentials(S3Options options) => options.SessionToken.Length > 0
        ? new SessionAWSCredentials(options.AccessKey, options.SecretKey, options.SessionToken)
        : new BasicAWSCredentials(options.AccessKey, options.SecretKey);

    private static SocketsHttpHandler Handler(S3Options options)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            ConnectTimeout = options.ConnectTimeout,
            Expect100ContinueTimeout = options.ExpectContinueTimeout,
            PooledConnectionIdleTimeout = options.IdleTimeout,
            // So that a changed address of the service is noticed.
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            // What is left of a body that turned out wrong is not worth waiting for.
            MaxResponseDrainSize = 0,
        };
        if (options.MaxConnections > 0)
        {
            handler.MaxConnectionsPerServer = options.MaxConnections;
        }

        handler.SslOptions = Tls(options.Tls);
        return handler;
    }

    private static SslClientAuthenticationOptions Tls(S3Tls tls)
    {
        var options = new SslClientAuthenticationOptions();
        if (tls.ServerName.Length > 0)
        {
            // The handler sets TargetHost to the endpoint's name whatever we say, so the name is compared here, and only the name.
            options.RemoteCertificateValidationCallback = (_, shown, _, errors) =>
                (errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None
                && shown is X509Certificate2 certificate && certificate.MatchesHostname(tls.ServerName);
        }

        if (tls.CaFile.Length > 0)
        {
            options.CertificateChainPolicy = Read(() => PemFile.Authorities(tls.CaFile));
        }

        if (tls.CertFile.Length > 0)
        {
            options.ClientCertificates = [Read(() => PemFile.Certificate(tls.CertFile, tls.KeyFile))];
        }

        if (tls.InsecureSkipVerify)
        {
#pragma warning disable CA5359, MA0039 // The operator asked for it, under a name that says what it means.
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359, MA0039
        }

        return options;
    }

    private static T Read<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (IOException e)
        {
            throw new ObjectStoreException(e.Message, e);
        }
    }

    /// <summary>Reads every answer but an object's content before the SDK sees it.</summary>
    /// <remarks>The SDK parses XML by blocking reads that know of no time limit, so an answer that stalls would hold its thread for ever.</remarks>
    private sealed class WholeAnswers(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        /// <summary>A page of a listing has at most 1,000 keys of 1,024 bytes, which XML may blow up sixfold.</summary>
        private const int MaxAnswerBytes = 16 << 20;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            if (IsObject(request) && answer.IsSuccessStatusCode)
            {
                return answer;
            }

            try
            {
                await answer.Content.LoadIntoBufferAsync(MaxAnswerBytes, cancellationToken);
                return answer;
            }
            catch
            {
                answer.Dispose();
                throw;
            }
        }

        /// <summary>Each other GET that we send has parameters.</summary>
        private static bool IsObject(HttpRequestMessage request) =>
            request.Method == HttpMethod.Get && request.RequestUri!.Query is "" or "?" or "?x-id=GetObject";
    }

    private sealed class OneClient(HttpClient http) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => http;

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

        public override string GetConfigUniqueString(IClientConfig clientConfig) => "one";
    }
}
