using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Digest of what a running process was started with. It is kept beside instances that outlive the
/// daemon, so a change of this format replaces every process once.
/// </summary>
internal static class ProcessDigest
{
    public static string Of(Service service)
    {
        StringBuilder text = new();
        Append(text, "command", service.Command);
        Append(text, "environment", service.Environment.Select(pair => $"{pair.Key}={pair.Value}"));
        Append(text, "working_dir", [service.WorkingDirectory]);
        Append(text, "user", service.User is { } user ? [user] : []);
        Append(text, "limits", service.Limits.Select(limit => string.Create(
            CultureInfo.InvariantCulture, $"{limit.Name}={limit.Soft}:{limit.Hard}")));
        Append(text, "ports", service.TargetPorts.Select(Digits));
        Append(text, "fixed_port", service.Options.FixedPort is { } port ? [Digits(port)] : []);
        if (service.Healthcheck is { } check)
        {
            Append(text, "test", check.Test);
            Append(text, "check",
            [
                check.UsesShell ? "shell" : "program", check.Interval.ToString(),
                check.Timeout.ToString(), Digits(check.Retries), check.StartPeriod.ToString(),
                check.StartInterval.ToString(),
            ]);
        }

        return OfText(text.ToString());
    }

    public static string OfText(string text) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>Lengths stand before values: no value can look like two.</summary>
    private static void Append(StringBuilder text, string name, IEnumerable<string> values)
    {
        string[] all = [.. values];
        text.Append(name).Append(' ').Append(Digits(all.Length)).Append('\n');
        foreach (string value in all)
        {
            text.Append(Digits(value.Length)).Append(' ').Append(value).Append('\n');
        }
    }

    private static string Digits(int number) => number.ToString(CultureInfo.InvariantCulture);
}
