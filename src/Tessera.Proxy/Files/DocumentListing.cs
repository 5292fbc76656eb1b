using System.Globalization;
using System.Text;
using Tessera.Proxy.Forwarding;

namespace Tessera.Proxy.Files;

/// <summary>What a folder holds, as nginx's autoindex shows it. Stateless.</summary>
internal static class DocumentListing
{
    /// <summary>Longer names are cut in a page.</summary>
    private const int NameColumns = 50;

    /// <summary>More entries are left out: the page is made within one turn.</summary>
    private const int MaxEntries = 20_000;

    private static readonly string[] Months =
        CultureInfo.InvariantCulture.DateTimeFormat.AbbreviatedMonthNames;

    public static ReadOnlySpan<byte> TypeOf(
        ListingFormat format, Exchange exchange) => format switch
    {
        ListingFormat.Xml => "text/xml; charset=utf-8"u8,
        ListingFormat.Json => "application/json"u8,
        ListingFormat.Jsonp => CallbackOf(exchange.Query).Length > 0
            ? "application/javascript"u8
            : "application/json"u8,
        _ => "text/html"u8,
    };

    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    public static byte[] Write(string folder, Exchange exchange, DocumentsConfig config)
    {
        // Folders first, then by the bytes of their names (ngx_http_autoindex_cmp_entries).
        Entry[] entries =
        [
            .. new DirectoryInfo(folder).EnumerateFileSystemInfos()
                .Where(e => !e.Name.StartsWith('.'))
                .Take(MaxEntries)
                .Select(e => Entry.Of(e, config.ListsLocalTimes))
                .OrderBy(e => !e.IsFolder)
                .ThenBy(e => e.Name, StringComparer.Ordinal),
        ];
        string text = config.ListingFormat switch
        {
            ListingFormat.Xml => WriteXml(entries),
            ListingFormat.Json => WriteJson(entries, callback: ""),
            ListingFormat.Jsonp => WriteJson(entries, CallbackOf(exchange.Query)),
            _ => WriteHtml(entries, Encoding.UTF8.GetString(exchange.Path), config),
        };
        return Encoding.UTF8.GetBytes(text);
    }

    private static string WriteHtml(Entry[] entries, string path, DocumentsConfig config)
    {
        var page = new StringBuilder();
        string title = EscapeHtml(path);
        page.Append("<html>\r\n<head><title>Index of ").Append(title)
            .Append("</title></head>\r\n<body>\r\n<h1>Index of ").Append(title)
            .Append("</h1><hr><pre><a href=\"../\">../</a>\r\n");
        foreach (Entry entry in entries)
        {
            AppendLine(page, entry, config.ListsExactSizes);
        }

        return page.Append("</pre><hr></body>\r\n</html>\r\n").ToString();
    }

    private static void AppendLine(StringBuilder page, Entry entry, bool isExact)
    {
        string slash = entry.IsFolder ? "/" : "";
        int columns = new StringInfo(entry.Name).LengthInTextElements;
        bool isCut = columns > NameColumns;
        string shown = isCut
            ? new StringInfo(entry.Name).SubstringByTextElements(0, NameColumns - 3)
            : entry.Name;
        page.Append("<a href=\"").Append(EscapeUri(entry.Name)).Append(slash).Append("\">")
            .Append(EscapeHtml(shown));
        page.Append(isCut ? "..&gt;</a>" : columns == NameColumns ? "</a>" : slash + "</a>");
        if (!isCut && columns < NameColumns)
        {
            page.Append(' ', NameColumns - columns - slash.Length);
        }

        DateTime time = entry.Time;
        page.Append(CultureInfo.InvariantCulture,
            $" {time.Day:D2}-{Months[time.Month - 1]}-{time.Year:D4} {time:HH:mm} ");
        page.Append(isExact ? ExactSize(entry) : RoundedSize(entry)).Append("\r\n");
    }

    private static string ExactSize(Entry entry) => entry.IsFolder
        ? new string(' ', 18) + "-"
        : entry.Length.ToString(CultureInfo.InvariantCulture).PadLeft(19);

    /// <summary>Rounded as nginx does: to the nearest, and upwards below one of a unit.</summary>
    private static string RoundedSize(Entry entry)
    {
        if (entry.IsFolder)
        {
            return "      -";
        }

        long length = entry.Length;
        (long size, string unit) = length > (1L << 30) - 1
            ? (Round(length, 30), "G")
            : length > (1L << 20) - 1 ? (Round(length, 20), "M")
            : length > 9_999 ? (Round(length, 10), "K")
            : (length, "");
        return unit.Length == 0
            ? size.ToString(CultureInfo.InvariantCulture).PadLeft(7)
            : size.ToString(CultureInfo.InvariantCulture).PadLeft(6) + unit;
    }

    private static long Round(long length, int bits)
    {
        long size = length >> bits;
        return (length & ((1L << bits) - 1)) > (1L << (bits - 1)) - 1 ? size + 1 : size;
    }

    private static string WriteXml(Entry[] entries)
    {
        var page = new StringBuilder("<?xml version=\"1.0\"?>\r\n<list>\r\n");
        foreach (Entry entry in entries)
        {
            string time = entry.Utc.ToString(
                "yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            page.Append(entry.IsFolder ? "<directory" : entry.IsFile ? "<file" : "<other")
                .Append(" mtime=\"").Append(time).Append('"');
            if (entry.IsFile)
            {
                page.Append(CultureInfo.InvariantCulture, $" size=\"{entry.Length}\"");
            }

            page.Append('>').Append(EscapeHtml(entry.Name))
                .Append(entry.IsFolder ? "</directory>" : entry.IsFile ? "</file>" : "</other>")
                .Append("\r\n");
        }

        return page.Append("</list>\r\n").ToString();
    }

    private static string WriteJson(Entry[] entries, string callback)
    {
        var page = new StringBuilder();
        page.Append(callback.Length > 0 ? $"/* callback */\r\n{callback}([" : "[");
        for (int i = 0; i < entries.Length; i++)
        {
            Entry entry = entries[i];
            string kind = entry.IsFolder ? "directory" : entry.IsFile ? "file" : "other";
            page.Append(i == 0 ? "" : ",").Append("\r\n{ \"name\":\"")
                .Append(EscapeJson(entry.Name)).Append("\", \"type\":\"").Append(kind)
                .Append("\", \"mtime\":\"")
                .Append(entry.Utc.ToString(
                    "ddd, dd MMM yyyy HH:mm:ss 'GMT'", CultureInfo.InvariantCulture))
                .Append('"');
            if (entry.IsFile)
            {
                page.Append(CultureInfo.InvariantCulture, $", \"size\":{entry.Length}");
            }

            page.Append(" }");
        }

        return page.Append("\r\n]").Append(callback.Length > 0 ? ");" : "").ToString();
    }

    /// <summary>Whether the query's callback is a name, or there is none.</summary>
    public static bool HasFitCallback(ReadOnlySpan<byte> query) =>
        CallbackOf(query).All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.');

    private static string CallbackOf(ReadOnlySpan<byte> query)
    {
        foreach (string pair in Encoding.Latin1.GetString(query).Split('&'))
        {
            if (pair.StartsWith("callback=", StringComparison.OrdinalIgnoreCase))
            {
                return pair["callback=".Length..];
            }
        }

        return "";
    }

    private static string EscapeHtml(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal);

    /// <summary>NGX_ESCAPE_URI_COMPONENT: all but letters, digits and "-._~".</summary>
    private static string EscapeUri(string text) => Uri.EscapeDataString(text);

    private static string EscapeJson(string text)
    {
        var escaped = new StringBuilder();
        foreach (char letter in text)
        {
            _ = letter switch
            {
                '"' or '\\' => escaped.Append('\\').Append(letter),
                '\n' => escaped.Append("\\n"),
                '\r' => escaped.Append("\\r"),
                '\t' => escaped.Append("\\t"),
                '\b' => escaped.Append("\\b"),
                '\f' => escaped.Append("\\f"),
                < ' ' => escaped.Append(
                    CultureInfo.InvariantCulture, $"\\u{(int)letter:X4}"),
                _ => escaped.Append(letter),
            };
        }

        return escaped.ToString();
    }

    private sealed record Entry(
        string Name, bool IsFolder, bool IsFile, long Length, DateTime Time, DateTime Utc)
    {
        /// <summary>A link shows what it leads to.</summary>
        public static Entry Of(FileSystemInfo entry, bool isLocal)
        {
            FileSystemInfo target = entry;
            if (entry.LinkTarget is not null)
            {
                target = ResolveLink(entry) ?? entry;
            }

            bool isFolder = target is DirectoryInfo
                || (target.Attributes & FileAttributes.Directory) != 0;
            bool isFile = !isFolder && target is FileInfo { Exists: true };
            return new Entry(
                entry.Name,
                isFolder,
                isFile,
                isFile ? ((FileInfo)target).Length : 0,
                isLocal ? target.LastWriteTime : target.LastWriteTimeUtc,
                target.LastWriteTimeUtc);
        }

        private static FileSystemInfo? ResolveLink(FileSystemInfo entry)
        {
            try
            {
                return entry.ResolveLinkTarget(returnFinalTarget: true);
            }
            catch (IOException)
            {
                // A link that leads nowhere, or in a circle, stands for itself.
                return null;
            }
        }
    }
}
