using System.Text;

namespace Metrics.Rules.Templates;

/// <summary>Text escaped as Go's text/template and net/url do.</summary>
internal static class Escapes
{
    /// <summary><c>html</c>.</summary>
    public static string Html(string text) =>
        text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\"", "&#34;").Replace("'", "&#39;").Replace("\0", "\uFFFD");

    /// <summary><c>js</c>.</summary>
    public static string Js(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            switch (c)
            {
                case '\\' or '\'' or '"': escaped.Append('\\').Append(c); break;
                case '<' or '>' or '&' or '=' or < ' ': escaped.Append($"\\u{(int)c:X4}"); break;
                default: escaped.Append(c); break;
            }
        }

        return escaped.ToString();
    }

    /// <summary><c>url.QueryEscape</c>.</summary>
    public static string Query(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'_' or (byte)'.' or (byte)'~')
            {
                escaped.Append((char)b);
            }
            else if (b == ' ')
            {
                escaped.Append('+');
            }
            else
            {
                escaped.Append('%').Append(b.ToString("X2"));
            }
        }

        return escaped.ToString();
    }

    /// <summary>The link to the table of an expression, relative to the external URL.</summary>
    public static string TableLink(string expression) => $"/graph?g0.expr={Query(expression)}&g0.tab=1";

    /// <summary>The link to the graph of an expression, relative to the external URL.</summary>
    public static string GraphLink(string expression) => $"/graph?g0.expr={Query(expression)}&g0.tab=0";
}
