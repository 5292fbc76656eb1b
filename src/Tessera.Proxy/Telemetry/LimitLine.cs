using System.Globalization;
using System.Runtime.CompilerServices;

namespace Tessera.Proxy.Telemetry;

/// <summary>
/// What a line says of a limit. It is put together only when the line will be written, so that a
/// flood of requests that are refused costs no text for each.
/// </summary>
[InterpolatedStringHandler]
internal ref struct LimitLine
{
    private DefaultInterpolatedStringHandler _text;

    /// <param name="isWanted">False leaves the text out: nothing in it is evaluated.</param>
    public LimitLine(
        int literalLength, int holes, ErrorLog log, ErrorLevel level, out bool isWanted)
    {
        isWanted = log.TryEnterForClients(level);
        IsWanted = isWanted;
        _text = isWanted
            ? new DefaultInterpolatedStringHandler(
                literalLength, holes, CultureInfo.InvariantCulture)
            : default;
    }

    public bool IsWanted { get; }

    public void AppendLiteral(string text) => _text.AppendLiteral(text);

    public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

    public void AppendFormatted<T>(T value, string format) =>
        _text.AppendFormatted(value, format);

    /// <summary>The text, once.</summary>
    public string Take() => _text.ToStringAndClear();
}
