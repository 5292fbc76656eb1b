using Tessera.Proxy;

namespace Tessera.Nginx;

/// <summary>The names of nginx's levels. Stateless.</summary>
internal static class ErrorLevelName
{
    public static string Of(ErrorLevel level) => level switch
    {
        ErrorLevel.Debug => "debug",
        ErrorLevel.Information => "info",
        ErrorLevel.Notice => "notice",
        ErrorLevel.Warning => "warn",
        ErrorLevel.Error => "error",
        ErrorLevel.Critical => "crit",
        ErrorLevel.Alert => "alert",
        _ => "emerg",
    };
}
