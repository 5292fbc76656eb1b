using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Answers;

/// <summary>nginx's pages for errors and redirects. Stateless.</summary>
internal static class StatusPage
{
    /// <summary>No page is longer.</summary>
    public const int MaxBytes = 1_280;

    /// <summary>
    /// Internet Explorer and Chrome show pages of their own in place of ones that are shorter than
    /// 512 bytes: six times this comment makes any page long enough.
    /// </summary>
    private static ReadOnlySpan<byte> Padding =>
        "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n"u8;

    /// <summary>False for a status without a page, which is answered with an empty body.</summary>
    /// <param name="detail">
    /// What a 400 tells beyond its status: it is the title, and a line of its own.
    /// </param>
    public static bool TryWrite(
        ref ByteWriter page, int status, ReadOnlySpan<byte> detail, AnswerStyle style,
        bool isPadded)
    {
        ReadOnlySpan<byte> words = StatusLine.OfPage(status);
        if (words.IsEmpty)
        {
            return false;
        }

        page.Write("<html>\r\n<head><title>"u8);
        page.WriteNumber(status);
        page.Write((byte)' ');
        page.Write(detail.IsEmpty ? words : detail);
        page.Write("</title></head>\r\n<body>\r\n<center><h1>"u8);
        page.WriteNumber(status);
        page.Write((byte)' ');
        page.Write(words);
        page.Write("</h1></center>\r\n"u8);
        if (!detail.IsEmpty)
        {
            page.Write("<center>"u8);
            page.Write(detail);
            page.Write("</center>\r\n"u8);
        }

        page.Write("<hr><center>"u8);
        page.Write(style.Signature);
        page.Write("</center>\r\n</body>\r\n</html>\r\n"u8);
        for (int i = 0; isPadded && i < 6; i++)
        {
            page.Write(Padding);
        }

        return true;
    }

    /// <summary>A redirect for a browser that takes pages only: nginx's msie_refresh.</summary>
    public static void WriteRefresh(ref ByteWriter page, ReadOnlySpan<byte> location)
    {
        page.Write("<html><head><meta http-equiv=\"Refresh\" content=\"0; URL="u8);
        page.Write(location);
        page.Write("\"></head><body></body></html>\r\n"u8);
    }
}
