using System.Globalization;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Answers;

/// <summary>
/// Says when a response expires: nginx's expires. Immutable; what variables become is read anew for
/// each response, and what makes no sense then says nothing.
/// </summary>
internal sealed class Expiry
{
    /// <summary>Of a text once its variables are filled in.</summary>
    private const int MaxTextBytes = 128;

    private const int SecondsPerDay = 86_400;

    private readonly Template _text;
    private readonly bool _isAfterChange;

    public Expiry(ExpiryConfig config)
    {
        _text = Template.Parse(config.Text);
        _isAfterChange = config.IsAfterChange;
    }

    private enum Kind : byte
    {
        Off,
        Epoch,
        Max,

        /// <summary>So long from now, or from the last change.</summary>
        Span,

        /// <summary>The next time that a clock in UTC shows it.</summary>
        DayTime,
    }

    /// <summary>What is wrong with a text without variables; null when nothing is.</summary>
    public static string? ProblemOf(string text) =>
        TryRead(text, out _, out _) ? null : "invalid value";

    /// <summary>
    /// Adds Expires and Cache-Control to the response; false when it says nothing.
    /// </summary>
    /// <param name="modifiedSeconds">-1 when it is not known.</param>
    public bool AddTo(Exchange exchange, long nowSeconds, long modifiedSeconds)
    {
        var text = new ByteWriter(stackalloc byte[MaxTextBytes]);
        _text.Write(ref text, exchange);
        if (text.HasOverflowed
            || !TryRead(Encoding.Latin1.GetString(text.Written), out Kind kind, out long seconds)
            || kind == Kind.Off)
        {
            return false;
        }

        if (kind is Kind.Epoch or Kind.Max)
        {
            bool isMax = kind == Kind.Max;
            exchange.TryAddField("Expires"u8,
                isMax ? "Thu, 31 Dec 2037 23:55:55 GMT"u8 : "Thu, 01 Jan 1970 00:00:01 GMT"u8);
            exchange.TryAddField("Cache-Control"u8,
                isMax ? "max-age=315360000"u8 : "no-cache"u8);
            return true;
        }

        if (seconds == 0 && kind == Kind.Span && !_isAfterChange)
        {
            exchange.TryAddField("Expires"u8, HttpDate.Format(nowSeconds));
            exchange.TryAddField("Cache-Control"u8, "max-age=0"u8);
            return true;
        }

        long expires;
        if (kind == Kind.DayTime)
        {
            long midnight = nowSeconds - (nowSeconds % SecondsPerDay);
            expires = midnight + seconds;
            expires += expires < nowSeconds ? SecondsPerDay : 0;
        }
        else
        {
            bool isAfterChange = _isAfterChange && modifiedSeconds >= 0;
            expires = (isAfterChange ? modifiedSeconds : nowSeconds) + seconds;
        }

        long age = expires - nowSeconds;
        bool isPast = age < 0 || (kind == Kind.Span && seconds < 0);
        exchange.TryAddField("Expires"u8, HttpDate.Format(expires));
        exchange.TryAddField("Cache-Control"u8, isPast
            ? "no-cache"u8
            : Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"max-age={age}")));
        return true;
    }

    private static bool TryRead(string text, out Kind kind, out long seconds)
    {
        seconds = 0;
        kind = text switch
        {
            "" or "off" => Kind.Off,
            "epoch" => Kind.Epoch,
            "max" => Kind.Max,
            _ when text[0] == '@' => Kind.DayTime,
            _ => Kind.Span,
        };
        if (kind is Kind.Off or Kind.Epoch or Kind.Max)
        {
            return true;
        }

        bool isNegative = kind == Kind.Span && text[0] == '-';
        string span = isNegative || text[0] is '@' or '+' ? text[1..] : text;
        if (!Nginx.NginxValue.TryMilliseconds(span, out int milliseconds))
        {
            return false;
        }

        seconds = milliseconds == int.MaxValue ? LongSeconds(span) : milliseconds / 1_000;
        seconds = isNegative ? -seconds : seconds;
        return kind != Kind.DayTime || seconds is >= 0 and < SecondsPerDay;
    }

    /// <summary>Longer than milliseconds can tell: one number with its unit.</summary>
    private static long LongSeconds(string span)
    {
        int digits = span.AsSpan().IndexOfAnyExceptInRange('0', '9');
        digits = digits < 0 ? span.Length : digits;
        long unit = span[digits..] switch
        {
            "y" => 365L * SecondsPerDay,
            "M" => 30L * SecondsPerDay,
            "w" => 7L * SecondsPerDay,
            "d" => SecondsPerDay,
            "h" => 3_600,
            "m" => 60,
            _ => 1,
        };
        return long.TryParse(
            span.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out long n)
            && n <= int.MaxValue ? n * unit : int.MaxValue;
    }
}
