using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Scripts;

/// <summary>
/// Texts of scripts, in which groups may be escaped as in a query: what was decoded in the client's
/// path is encoded again (ngx_http_script_copy_capture_code). Stateless.
/// </summary>
internal static class ScriptText
{
    /// <summary>As far as the script is.</summary>
    public static EvaluatedText Evaluate(
        Template template, Exchange exchange, in ScriptCourse course) =>
        course.EscapesGroups && template.UsesGroups && exchange.IsPathEncoded
            ? EvaluatedText.Of(template, exchange, WriteEscaped)
            : EvaluatedText.Of(template, exchange);

    public static void WriteEscaped(Template template, ref ByteWriter writer, Exchange exchange)
    {
        if (!exchange.IsPathEncoded)
        {
            template.Write(ref writer, exchange);
            return;
        }

        foreach (ref readonly Template.Part part in template.Parts)
        {
            if (part.Literal is { } literal)
            {
                writer.Write(literal);
            }
            else if (part.Variable.Variable == Variable.Group)
            {
                RedirectText.Escape(ref writer, exchange.CaptureOf(part.Variable.Member[0]));
            }
            else
            {
                VariableValue.Write(part.Variable, ref writer, exchange);
            }
        }
    }
}
