using System.Globalization;
using System.Net;
using System.Text;

namespace Tessera.Proxy.Files;

/// <summary>A page with what a folder holds; hidden files are left out. Stateless.</summary>
internal static class FolderListing
{
    /// <summary>More entries are left out, and the page says so.</summary>
    private const int MaxEntries = 5_000;

    /// <param name="descriptor">Of the folder, so that no name leads elsewhere.</param>
    /// <param name="path">As the client asked for it, decoded.</param>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Nor may it be.</exception>
    public static byte[] Write(int descriptor, ReadOnlySpan<byte> path)
    {
        var folder = new DirectoryInfo($"/proc/self/fd/{descriptor}/");
        FileSystemInfo[] all =
        [
            .. folder.EnumerateFileSystemInfos()
                .Where(e => !e.Name.StartsWith('.'))
                .Take(MaxEntries + 1),
        ];
        IEnumerable<FileSystemInfo> entries = all
            .Take(MaxEntries)
            .OrderBy(e => e is not DirectoryInfo)
            .ThenBy(e => e.Name, StringComparer.Ordinal);

        string title = WebUtility.HtmlEncode($"Index of {Encoding.UTF8.GetString(path)}");
        var page = new StringBuilder();
        page.Append("<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>")
            .Append(title)
            .Append("</title></head>\n<body>\n<h1>")
            .Append(title)
            .Append("</h1>\n<table>\n");
        if (path.Length > 1)
        {
            page.Append("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
        }

        foreach (FileSystemInfo entry in entries)
        {
            AppendEntry(page, entry);
        }

        page.Append("</table>\n");
        if (all.Length > MaxEntries)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p>The first {MaxEntries} entries.</p>\n");
        }

        byte[] text = Encoding.UTF8.GetBytes(page.Append("</body>\n</html>\n").ToString());
        byte[] pinned = GC.AllocateUninitializedArray<byte>(text.Length, pinned: true);
        text.CopyTo(pinned, 0);
        return pinned;
    }

    private static void AppendEntry(StringBuilder page, FileSystemInfo entry)
    {
        string slash = entry is DirectoryInfo ? "/" : "";
        string length = entry is FileInfo { Exists: true } file
            ? file.Length.ToString(CultureInfo.InvariantCulture)
            : "-";

        // "./" keeps a name with a colon from being taken for a scheme.
        page.Append("<tr><td><a href=\"./")
            .Append(Uri.EscapeDataString(entry.Name))
            .Append(slash)
            .Append("\">")
            .Append(WebUtility.HtmlEncode(entry.Name))
            .Append(slash)
            .Append("</a></td><td>")
            .Append(entry.LastWriteTimeUtc.ToString(
                "yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture))
            .Append("</td><td align=\"right\">")
            .Append(length)
            .Append("</td></tr>\n");
    }
}
