using System.Text;

namespace Metrics.Gateway.Server;

/// <summary>Answers of one short text.</summary>
internal static class PlainText
{
    /// <summary>Answers with a status and a text.</summary>
    public static Task AnswerAsync(HttpContext context, int status, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.ContentLength = bytes.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }
}
