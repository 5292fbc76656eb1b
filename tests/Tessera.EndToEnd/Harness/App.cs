namespace Tessera.EndToEnd.Harness;

/// <summary>Command lines of the test applications, ready to stand in a Compose file.</summary>
public static class App
{
    /// <summary>Debian's own interpreter, whatever else is first on PATH.</summary>
    public const string Python = "/usr/bin/python3";

    /// <summary>The program's built-in server; names itself <c>project-service-n</c>.</summary>
    public const string Whoami = "tessera whoami --port $$PORT";

    /// <summary>Names itself by its PID; see the options in Apps/http_app.py.</summary>
    public static string Http(string options = "") => Script("http_app.py", options);

    /// <summary>Its mood is changed while it runs; see <see cref="MoodyApp"/>.</summary>
    public static string Moody => Script("moody_app.py");

    /// <summary>JSON, large and chunked answers, uploads and a WebSocket, by Tornado.</summary>
    public static string Site => Script("site_app.py");

    /// <summary>Uploads are counted, downloads come by <c>?bytes=N&amp;chunked=1</c>.</summary>
    public static string Transfer => Script("transfer.py");

    /// <summary>Echoes after a 101.</summary>
    public static string UpgradeEcho => Script("upgrade_echo.py");

    /// <summary>Echoes what it gets; with a greeting it speaks first.</summary>
    public static string TcpEcho(string greeting = "") =>
        Script("tcp_echo.py", greeting.Length == 0 ? "" : $"--greeting {greeting}");

    /// <summary>Writes numbered lines to its output.</summary>
    public static string NumberedLines(int count, int perSecond) => $"{Python} -u "
        + $"{PathOf("numbered_lines.py")} --count {count} --per-second {perSecond}";

    public static string PathOf(string script) =>
        Path.Combine(AppContext.BaseDirectory, "Apps", script);

    private static string Script(string script, string options = "") =>
        $"{Python} {PathOf(script)} --port $$PORT {options}".TrimEnd();
}
