using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Tessera.Bench.Peers;

/// <summary>
/// One proxy under measurement: a process of its own on the core of the proxies, which ends with
/// this one whatever happens. Used from the main thread only.
/// </summary>
internal abstract class Peer : IDisposable
{
    /// <summary>The core that each proxy has to itself while it is under load.</summary>
    private const string Core = "0";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(3);

    private Process? _process;

    /// <param name="files">Folder of the files that it serves below /files/.</param>
    protected Peer(string name, string folder, IPEndPoint backend, string files)
    {
        Name = name;
        Files = files;
        Folder = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        Backend = backend;
        EndPoint = FreeEndPoint();
    }

    public string Name { get; }

    public IPEndPoint EndPoint { get; }

    /// <summary>Program and version, for the report.</summary>
    public abstract string Version { get; }

    public virtual bool CanTake(Scenario scenario) => true;

    protected string Folder { get; }

    protected string Files { get; }

    protected IPEndPoint Backend { get; }

    /// <summary>Where the access log goes; a rotated log has the same beginning.</summary>
    protected string AccessLog => Path.Combine(Folder, "access.log");

    private string Output => Path.Combine(Folder, "output.log");

    /// <summary>Starts the proxy and waits until it accepts connections.</summary>
    public void Start()
    {
        // pdeathsig(2const) ends the proxy when this process is killed. It is bound to the thread
        // that starts the process, so it must be the main thread, which lives to the end.
        var start = new ProcessStartInfo("setpriv") { UseShellExecute = false };
        string[] prefix =
        [
            "--pdeathsig", "TERM", "taskset", "-c", Core,
            "sh", "-c", "exec \"$@\" >>\"$0\" 2>&1", OutputFile,
        ];
        foreach (string argument in prefix.Concat(Command()))
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        var waited = Stopwatch.StartNew();
        while (!Accepts())
        {
            if (_process.HasExited || waited.Elapsed > StartTimeout)
            {
                throw new InvalidOperationException(
                    $"{Name} does not start:\n{File.ReadAllText(OutputFile)}");
            }

            Thread.Sleep(20);
        }
    }

    public ProcessUsage Usage() => ProcessUsage.Read(_process!.Id);

    /// <summary>Bytes in the access log, rotated parts included.</summary>
    public long LoggedBytes() =>
        Directory.EnumerateFiles(Folder, Path.GetFileName(AccessLog) + "*")
            .Sum(path => new FileInfo(path).Length);

    /// <summary>Empties the access log, which its writer has open for appending.</summary>
    public void TruncateLog()
    {
        if (File.Exists(AccessLog))
        {
            using var log = new FileStream(
                AccessLog, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            log.SetLength(0);
        }
    }

    /// <summary>Ends the process and waits for its end.</summary>
    public void Dispose()
    {
        if (_process is null)
        {
            return;
        }

        if (!_process.HasExited)
        {
            // It may have ended by the same Ctrl-C meanwhile, which is no news.
            using (Process.Start("sh", ["-c", $"kill -TERM {_process.Id} 2>/dev/null"]))
            {
                if (!_process.WaitForExit(StopTimeout))
                {
                    _process.Kill(entireProcessTree: true);
                    _process.WaitForExit();
                }
            }
        }

        _process.Dispose();
        _process = null;
    }

    /// <summary>The proxy's program and arguments; writes its configuration first.</summary>
    protected abstract IEnumerable<string> Command();

    /// <summary>Where standard output and standard error go.</summary>
    protected virtual string OutputFile => Output;

    /// <summary>The first line that a program prints about itself.</summary>
    protected static string FirstLineOf(string program, string argument)
    {
        var start = new ProcessStartInfo(program, [argument])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return text.Split('\n')[0].Trim();
    }

    /// <summary>Found free by binding it; the proxy that gets it starts right away.</summary>
    private static IPEndPoint FreeEndPoint()
    {
        using var socket = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    private bool Accepts()
    {
        using var socket = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(EndPoint);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
