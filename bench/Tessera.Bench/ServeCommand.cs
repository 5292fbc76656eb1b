using System.Net;
using System.Runtime.InteropServices;
using Tessera.Proxy;

namespace Tessera.Bench;

/// <summary>
/// "serve LISTEN BACKEND LOG FILES POLLER": Tessera's data plane as the daemon hosts it, one
/// reactor, with all time-outs, the access log, and a folder of files below /files/, until SIGTERM.
/// </summary>
internal static class ServeCommand
{
    public static int Run(ReadOnlySpan<string> arguments)
    {
        ProxyServer server = new(new ProxyOptions
        {
            Reactors = 1,
            Poller = Enum.Parse<PollerKind>(arguments[4]),
            ErrorLog = Console.Error.WriteLine,
        });
        IEnumerable<ListenFailure> failures =
            server.Apply(Configuration(arguments));
        foreach (ListenFailure failure in failures)
        {
            Console.Error.WriteLine($"{failure.Address}: {failure.Reason}");
            return 1;
        }

        using var ended = new ManualResetEventSlim();
        using PosixSignalRegistration term = PosixSignalRegistration.Create(
            PosixSignal.SIGTERM, context => End(context, ended));
        ended.Wait();
        server.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return 0;
    }

    private static void End(PosixSignalContext context, ManualResetEventSlim ended)
    {
        context.Cancel = true;
        ended.Set();
    }

    private static ProxyConfig Configuration(ReadOnlySpan<string> arguments) => new()
    {
        Listeners =
        [
            new ListenerConfig
            {
                Address = IPEndPoint.Parse(arguments[0]),
                Protocol = ListenerProtocol.Http,
                Routes =
                [
                    new RouteConfig { Backend = "backend" },
                    new RouteConfig
                    {
                        Path = PathMatch.Below("/files"),
                        Files = new FilesConfig { Root = arguments[3], StripPrefix = "/files" },
                    },
                ],
                AccessLog = new AccessLogConfig { Path = arguments[2] },
            },
        ],
        Backends =
        [
            new BackendConfig
            {
                Name = "backend",
                Endpoints =
                [
                    new EndpointConfig { Id = "one", Address = IPEndPoint.Parse(arguments[1]) },
                ],
            },
        ],
    };
}
