using System.Collections.Concurrent;
using System.Text;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Access;

/// <summary>
/// Lists of users in files, which a request names and which people change at any time: nginx's
/// auth_basic_user_file. Safe from any thread.
/// </summary>
/// <param name="name">Of the file.</param>
/// <param name="folder">Where a name begins that is not absolute.</param>
internal sealed class PasswordFiles(Template name, string folder)
{
    /// <summary>More of them begin anew: clients may choose the name.</summary>
    private const int MaxKept = 64;

    /// <summary>
    /// A larger file is not read: the reactor waits for the disk meanwhile, once for each change.
    /// </summary>
    private const int MaxBytes = 256 * 1_024;

    private readonly ConcurrentDictionary<string, Reading> _kept = new(StringComparer.Ordinal);

    /// <summary>Null when the file cannot be read.</summary>
    /// <param name="isThere">And is not missing: nginx answers 500, not 403.</param>
    public PasswordList? Find(Exchange exchange, out bool isThere)
    {
        isThere = true;
        using var text = EvaluatedText.Of(name, exchange);
        string path = Path.Combine(folder, Encoding.UTF8.GetString(text.Text));
        var file = new FileInfo(path);
        try
        {
            if (!file.Exists || file.Length > MaxBytes)
            {
                isThere = file.Exists || Directory.Exists(path);
                return null;
            }

            (DateTime, long) version = (file.LastWriteTimeUtc, file.Length);
            if (_kept.TryGetValue(path, out Reading? kept) && kept.Version == version)
            {
                return kept.List;
            }

            var list = new PasswordList(
                Read(path).Split(['\n', '\r']).Select(PasswordEntry.KeepKnown)
                    .OfType<string>());
            if (_kept.Count >= MaxKept)
            {
                _kept.Clear();
            }

            _kept[path] = new Reading(version, list);
            return list;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] bytes = new byte[MaxBytes];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private sealed record Reading((DateTime, long) Version, PasswordList List);
}
