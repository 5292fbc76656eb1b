using System.Text;

namespace Tessera.Proxy.Answers;

/// <summary>
/// Whether a field Accept-Encoding takes gzip, as nginx reads it (ngx_http_gzip_accept_encoding):
/// it has to be named, "*" does not count. Stateless.
/// </summary>
internal static class GzipAcceptance
{
    public static bool IsTaken(ReadOnlySpan<byte> field)
    {
        foreach (Range member in field.Split((byte)','))
        {
            ReadOnlySpan<byte> coding = field[member].Trim(" \t"u8);
            if (coding.Length < 4 || !Ascii.EqualsIgnoreCase(coding[..4], "gzip"u8))
            {
                continue;
            }

            ReadOnlySpan<byte> weight = coding[4..].TrimStart(" \t"u8);
            if (weight.IsEmpty)
            {
                return true;
            }

            // Another name that only begins so is none.
            if (weight[0] == ';')
            {
                return HasWeight(weight[1..].TrimStart(" \t"u8));
            }
        }

        return false;
    }

    /// <summary>q=0.001 to q=1, with three places at most; nothing is all of it.</summary>
    private static bool HasWeight(ReadOnlySpan<byte> weight)
    {
        if (weight.IsEmpty)
        {
            return true;
        }

        if (weight.Length < 3 || weight[0] is not ((byte)'q' or (byte)'Q') || weight[1] != '=')
        {
            return false;
        }

        ReadOnlySpan<byte> number = weight[2..];
        int space = number.IndexOfAny((byte)' ', (byte)'\t');
        number = space < 0 ? number : number[..space];
        if (number is not [(byte)'0' or (byte)'1', ..]
            || (number.Length > 1 && number[1] != '.') || number.Length > 5)
        {
            return false;
        }

        ReadOnlySpan<byte> places = number.Length > 2 ? number[2..] : default;
        return !places.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && places.ContainsAnyExcept((byte)'0') != (number[0] == '1');
    }
}
