using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Variables;

/// <summary>
/// Tells variables that are there and empty from those that are not there: in nginx's logs the
/// latter are "-" (ngx_http_log_variable). Asked only where nothing was written. Stateless.
/// </summary>
internal static class VariablePresence
{
    public static bool IsThere(VariableName name, Exchange exchange)
    {
        // What other servers than nginx's kind log stays as it was.
        if (exchange.Server is null)
        {
            return false;
        }

        return name.Variable switch
        {
            Variable.IsArgs or Variable.InvalidReferer or Variable.RequestCompletion
                or Variable.Host or Variable.ServerName => true,
            Variable.ServerProtocol => exchange.Request.ErrorStatus == 505,
            Variable.Args => exchange.HasEmptyQuery,
            Variable.Arg => FieldText.TryFindArgument(exchange.Query, name.Member, out _),
            Variable.Http => FieldText.Has(exchange.Request, exchange.Received, name.Member),
            Variable.Own => !name.Own!.IsUnknownUntilSet || exchange.HasSet(name.Own),
            _ => false,
        };
    }
}
