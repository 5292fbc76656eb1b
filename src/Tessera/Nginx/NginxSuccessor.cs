using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using Tessera.Api;
using Tessera.Linux;
using Tessera.Linux.Net;
using Tessera.Linux.Processes;
using Tessera.Proxy;

namespace Tessera.Nginx;

/// <summary>
/// The process that takes this one's place at USR2: the program as it is in its file now, with the
/// same arguments, and with this process's listening sockets. Used by one thread at a time.
/// </summary>
/// <param name="arguments">Those that this process was started with.</param>
internal sealed class NginxSuccessor(string[] arguments)
{
    /// <summary>Sockets that one process passes on; those beyond are opened anew.</summary>
    private const int MaxSockets = 1_024;

    private const int StandardError = 2;

    private readonly string _name = NginxCommand.CommandName();
    private readonly string _folder = Environment.CurrentDirectory;
    private readonly int _parent = ParentOf();

    /// <summary>0 when there is none.</summary>
    public int Pid { get; private set; }

    public bool IsAlive => Pid != 0;

    /// <summary>Whoever started this process is still there: nginx's "ngx_parent".</summary>
    public bool HasOwnParent => ParentOf() == _parent;

    /// <summary>Failure leaves everything as it is.</summary>
    public SyscallResult Start(ProxyServer server)
    {
        int[] sockets = [.. server.Share().Select(shared => shared.Descriptor).Take(MaxSockets)];
        string numbers = string.Concat(sockets.Select((_, i) => string.Create(
            CultureInfo.InvariantCulture, $"{SpawnRequest.FirstShared + i};")));
        bool isNamed = _name.Contains('/', StringComparison.Ordinal)
            && Path.GetFileName(_name) == NginxCommand.Name;
        SyscallResult started = ProcessSpawn.Start(new SpawnRequest(
            isNamed ? Path.Combine(_folder, _name) : DaemonLauncher.OwnExecutable,
            [isNamed ? _name : NginxCommand.Name, .. arguments],
            [.. ReadEnvironment(), $"{NginxInheritance.Variable}={numbers}"],
            _folder,
            OutputPath: null,
            OutputDescriptor: StandardError)
        {
            Shared = sockets,
        });
        Pid = started.IsSuccess ? started.IntValue : 0;
        return started;
    }

    /// <summary>True once, when it has ended.</summary>
    public bool TryReap()
    {
        if (!IsAlive || !ProcessGroup.ReapChild(Pid))
        {
            return false;
        }

        Pid = 0;
        return true;
    }

    /// <summary>Descriptors of this process for all that listens.</summary>
    public static ImmutableArray<SharedListener> Keep(ProxyServer server) =>
    [
        .. from shared in server.Share()
           let copied = SocketCalls.Duplicate(shared.Descriptor)
           where copied.IsSuccess
           select shared with { Descriptor = copied.IntValue },
    ];

    private static int ParentOf() =>
        ProcessTable.TryRead(Environment.ProcessId, out ProcessEntry entry) ? entry.Parent : 0;

    private static IEnumerable<string> ReadEnvironment() =>
        from DictionaryEntry variable in Environment.GetEnvironmentVariables()
        where variable.Key is not (NginxInheritance.Variable or NginxReadiness.Variable)
        select $"{variable.Key}={variable.Value}";
}
