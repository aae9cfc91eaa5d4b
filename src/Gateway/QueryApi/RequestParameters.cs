using Metrics.Model;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Metrics.Gateway.QueryApi;

/// <summary>The parameters of a request: of its form and its URL, the form's first, as Go's <c>FormValue</c> has them.</summary>
internal sealed class RequestParameters
{
    private readonly IQueryCollection url;
    private readonly IFormCollection? form;

    private RequestParameters(IQueryCollection url, IFormCollection? form)
    {
        this.url = url;
        this.form = form;
    }

    /// <summary>Reads the form of a POST, if it carries one.</summary>
    /// <exception cref="ApiException">The form is malformed or over the limits.</exception>
    public static async ValueTask<RequestParameters> ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        if (!(HttpMethods.IsPost(request.Method) || HttpMethods.IsPut(request.Method)) || !request.HasFormContentType)
        {
            return new RequestParameters(request.Query, null);
        }

        try
        {
            return new RequestParameters(request.Query, await request.ReadFormAsync(cancellation));
        }
        catch (InvalidDataException e)
        {
            throw new ApiException(ApiErrorType.BadData, $"error parsing form values: {e.Message}", e);
        }
    }

    /// <summary>Those of a URL's query, as <c>a=1&amp;b=2</c>.</summary>
    public static RequestParameters Of(string query) => new(new QueryCollection(QueryHelpers.ParseQuery(query)), null);

    /// <summary>The first value, or the empty string.</summary>
    public string this[string name]
    {
        get
        {
            if (form is not null && form.TryGetValue(name, out var fromForm) && fromForm.Count > 0)
            {
                return fromForm[0] ?? "";
            }

            return url.TryGetValue(name, out var fromUrl) && fromUrl.Count > 0 ? fromUrl[0] ?? "" : "";
        }
    }

    /// <summary>All values, the form's before the URL's.</summary>
    public IReadOnlyList<string> All(string name)
    {
        var fromForm = form is null ? StringValues.Empty : form[name];
        return [.. fromForm.Select(v => v ?? ""), .. url[name].Select(v => v ?? "")];
    }

    /// <summary>A time that must be there.</summary>
    /// <exception cref="ApiException">It is absent or no time.</exception>
    public long RequiredTimeMs(string name) =>
        TimeText.TryParseTime(this[name], out var timeMs) ? timeMs : throw ApiException.InvalidParameter(name, $"cannot parse {LabelsText.Quote(this[name])} to a valid timestamp");

    /// <summary>A time, or the default when it is absent.</summary>
    /// <exception cref="ApiException">It is no time.</exception>
    public long TimeMs(string name, long whenAbsent)
    {
        var text = this[name];
        return text.Length == 0 ? whenAbsent
            : TimeText.TryParseTime(text, out var timeMs) ? timeMs
            : throw ApiException.InvalidParameter(name, $"invalid time value for '{name}': cannot parse {LabelsText.Quote(text)} to a valid timestamp");
    }

    /// <summary>A duration in nanoseconds that must be there.</summary>
    /// <exception cref="ApiException">It is absent or no duration.</exception>
    public long DurationNs(string name) => ParseDurationNs(this[name], message => ApiException.InvalidParameter(name, message));

    /// <summary>The <c>lookback_delta</c> in milliseconds, or null when it is absent or 0.</summary>
    /// <exception cref="ApiException">It is no duration.</exception>
    public long? LookbackMs()
    {
        var text = this["lookback_delta"];
        if (text.Length == 0)
        {
            return null;
        }

        var ns = ParseDurationNs(text, message => new ApiException(ApiErrorType.BadData, $"error parsing lookback delta duration: {message}"));
        return ns / 1_000_000 > 0 ? ns / 1_000_000 : null;
    }

    /// <summary>The <c>limit</c>, 0 for none.</summary>
    /// <exception cref="ApiException">It is no number, or negative.</exception>
    public int Limit()
    {
        var text = this["limit"];
        if (text.Length == 0)
        {
            return 0;
        }

        if (!long.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, null, out var limit))
        {
            var isNumber = text.AsSpan().TrimStart("+-") is { IsEmpty: false } digits && digits.IndexOfAnyExceptInRange('0', '9') < 0;
            throw ApiException.InvalidParameter("limit", $"strconv.Atoi: parsing {LabelsText.Quote(text)}: {(isNumber ? "value out of range" : "invalid syntax")}");
        }

        return limit < 0 ? throw ApiException.InvalidParameter("limit", "limit must be non-negative") : (int)Math.Min(limit, int.MaxValue);
    }

    private static long ParseDurationNs(string text, Func<string, ApiException> error)
    {
        if (TimeText.TryParseDuration(text, out var ns, out var overflows))
        {
            return ns;
        }

        throw error($"cannot parse {LabelsText.Quote(text)} to a valid duration{(overflows ? ". It overflows int64" : "")}");
    }
}
