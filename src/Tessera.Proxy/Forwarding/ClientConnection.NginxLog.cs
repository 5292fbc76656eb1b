using System.Globalization;
using Tessera.Proxy.Flow;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>Limits and rules that refused a request, in the words of nginx's error log.</summary>
internal sealed partial class ClientConnection
{
    private void TellBodyTooLarge(Exchange exchange) => TellNginx(
        exchange,
        ErrorLevel.Error,
        exchange.AnnouncedBodyBytes,
        static (bytes, culture) =>
            string.Create(culture, $"client intended to send too large body: {bytes} bytes"));

    /// <summary>A script's variable is asked for before it was set.</summary>
    public void TellUnset(Exchange exchange, string name) => TellNginx(
        exchange, ErrorLevel.Warning, name, static (name, _) =>
            $"using uninitialized \"{name}\" variable");

    private void TellForbidden(Exchange exchange) => TellNginx(
        exchange, ErrorLevel.Error, 0, static (_, _) => "access forbidden by rule");

    private void TellCrowded(Exchange exchange, ConnectionRule rule) => TellNginx(
        exchange, rule.LogLevel, rule, static (rule, _) =>
            $"limiting connections{rule.DryRunText} by zone \"{rule.ZoneName}\"");

    private void TellRate(Exchange exchange, RateRule rule, in RateVerdict rate)
    {
        // As with nginx a delay weighs a level less than a refusal.
        double excess = rate.Excess / (double)RateZone.Request;
        if (rate.IsRefused)
        {
            TellNginx(exchange, rule.LogLevel, (excess, rule), static (about, culture) =>
                string.Create(
                    culture,
                    $"limiting requests{about.rule.DryRunText}, excess: {about.excess:F3} "
                    + $"by zone \"{about.rule.ZoneName}\""));
            return;
        }

        ErrorLevel level = rule.LogLevel == ErrorLevel.Information
            ? ErrorLevel.Debug
            : rule.LogLevel - 1;
        TellNginx(exchange, level, (excess, rule), static (about, culture) =>
            string.Create(
                culture,
                $"delaying request{about.rule.DryRunText}, excess: {about.excess:F3}, "
                + $"by zone \"{about.rule.ZoneName}\""));
    }

    /// <summary>The text is made only for who reads it.</summary>
    private void TellNginx<T>(
        Exchange exchange, ErrorLevel level, T about, Func<T, IFormatProvider, string> compose)
    {
        if (_shard.ErrorLog.Takes(exchange, level))
        {
            _shard.ErrorLog.Tell(exchange, level, compose(about, CultureInfo.InvariantCulture));
        }
    }
}
