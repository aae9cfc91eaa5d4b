namespace Metrics.Rules.Templates;

/// <summary>A template that does not parse or that failed; the message is worded as Go's text/template does.</summary>
public sealed class TemplateException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>A function or operand that failed, before it is known where.</summary>
internal class TemplateFault(string message, Exception? cause = null) : Exception(message, cause);
