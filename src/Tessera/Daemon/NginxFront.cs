using System.Collections.Immutable;
using System.Net;
using System.Text.Json.Serialization;
using Tessera.Nginx;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;
using Tessera.Stack;

namespace Tessera.Daemon;

/// <summary>
/// A file in nginx's language that a project serves beside its routes, as the last <c>up</c> read
/// it: later daemons go by what was read then. Immutable.
/// </summary>
/// <param name="File">Its whole name.</param>
/// <param name="Service">Whose front it is; empty for the project's.</param>
/// <param name="Texts">Of all files that were read, by their whole names.</param>
internal sealed record NginxFront(
    string File, string Service, ImmutableSortedDictionary<string, string> Texts)
{
    /// <summary>What the texts say; null until they are read.</summary>
    [JsonIgnore]
    public NginxConfig? Config { get; init; }

    /// <summary>
    /// Reads every file that a project names, from the disk.
    /// </summary>
    /// <param name="accessLog">Where requests are logged unless a file says.</param>
    /// <exception cref="UserErrorException">In nginx's words.</exception>
    public static ImmutableArray<NginxFront> ReadAll(Project project, string accessLog)
    {
        IEnumerable<(string File, string Service)> files =
        [
            .. project.NginxFiles.Select(file => (file, "")),
            .. project.Services.Values.SelectMany(
                service => service.Options.NginxFiles.Select(file => (file, service.Name))),
        ];
        return
        [
            .. files.Distinct().Select(one => new NginxFront(
                one.File, one.Service, ImmutableSortedDictionary<string, string>.Empty)
                .Read(project, accessLog, isRestored: false)),
        ];
    }

    /// <summary>Reads the texts again, without a look at the disk.</summary>
    /// <exception cref="UserErrorException">In nginx's words.</exception>
    public NginxFront Restore(Project project, string accessLog) =>
        Read(project, accessLog, isRestored: true);

    /// <summary>Where requests are logged unless a file says.</summary>
    /// <param name="folder">The project's, in the daemon's.</param>
    public static string AccessLogIn(string folder) => Path.Combine(folder, "access-nginx.log");

    /// <summary>Makes the files that are logged to, as nginx does before it serves.</summary>
    /// <exception cref="UserErrorException">One cannot be opened.</exception>
    public static void OpenLogs(ImmutableArray<NginxFront> fronts)
    {
        try
        {
            foreach (NginxFront front in fronts)
            {
                NginxLogFiles.Open(front.Config!);
            }
        }
        catch (NginxConfigException fault)
        {
            throw Refusal(fault);
        }
    }

    /// <summary>
    /// The addresses that are listened on: those of the file, or for a service that the balancer
    /// stands in for, where its ports are published.
    /// </summary>
    public IEnumerable<(IPEndPoint Address, ListenerConfig Listener)> ListenersOf(
        ProjectEntry entry)
    {
        Service? service = Service.Length > 0
            ? entry.Project.Services.GetValueOrDefault(Service)
            : null;
        PortMapping[] ports = service is { IsFront: true }
            ? [.. service.Ports.Where(port => port.Protocol == "tcp")]
            : [];
        return Config!.Proxy.Listeners
            .SelectMany(listener => PlacesOf(listener).Select(place => (place, listener)))
            .DistinctBy(pair => pair.place);

        IEnumerable<IPEndPoint> PlacesOf(ListenerConfig listener)
        {
            PortMapping[] own =
                Array.FindAll(ports, port => port.Target == listener.Address.Port);
            return own.Length == 0
                ? [listener.Address]
                : own.SelectMany(port => Publication.AddressesOf(port.HostIp).Select(
                    address => new IPEndPoint(address, entry.PublishedPort(service!, port))));
        }
    }

    private NginxFront Read(Project project, string accessLog, bool isRestored)
    {
        var source = new NginxSource(project.WorkingDirectory, File)
        {
            IsGuest = true,
            AccessLog = accessLog,
            KnowsHost = (host, port) => Knows(project, host, port),
            Texts = isRestored ? Texts : null,
        };
        try
        {
            NginxConfig config = NginxReader.Read(source);
            return this with { Config = config, Texts = config.Texts };
        }
        catch (NginxConfigException fault)
        {
            throw Refusal(fault);
        }
    }

    /// <summary>A service's name is the service, also where a machine has the same name.</summary>
    private static bool Knows(Project project, string host, int port)
    {
        if (project.Services.GetValueOrDefault(host) is not { } service)
        {
            return false;
        }

        if (service.IsExternal || (service.HasInstances && TargetOf(service, port) is not null))
        {
            return true;
        }

        return !service.HasInstances
            ? false
            : throw new NginxConfigException(service.TargetPorts.IsEmpty
                ? $"no port of service {host} is known: start it with $$PORT, or name its port "
                    + "in `expose`"
                : $"service {host} has no port {port}, only "
                    + $"{string.Join(", ", service.TargetPorts)}: name it in `expose`");
    }

    /// <summary>
    /// The port of a service that is meant; a service that names none has one for all.
    /// </summary>
    public static int? TargetOf(Service service, int port) =>
        service.TargetPorts.Contains(port) ? port
        : service.TargetPorts is [0] ? 0
        : null;

    private static UserErrorException Refusal(NginxConfigException fault) => new(
        $"nginx: [emerg] {fault.Message}\nNothing was changed.", UserErrorException.InvalidInput);
}
