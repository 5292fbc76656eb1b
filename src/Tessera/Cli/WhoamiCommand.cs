using System.CommandLine;
using System.Globalization;
using System.Net;
using Tessera.Stack;
using Tessera.Whoami;

namespace Tessera.Cli;

/// <summary><c>tessera whoami</c>: a server to try balancing with.</summary>
internal static class WhoamiCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        Option<int?> port = Arguments.Number("--port", "-p");
        port.Description = "Port to listen on; 0 takes a free one [default: $PORT]";
        port.HelpName = "number";
        var host = new Option<string>("--host")
        {
            Description = "Address to listen on",
            HelpName = "address",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        Option<int?> delay = Arguments.Number("--delay-ms");
        delay.Description = "Milliseconds to wait before each answer";
        delay.HelpName = "ms";
        var command = new Command("whoami", "Run a tiny HTTP server that says who it is")
        {
            port, host, delay,
        };
        command.SetAction(async (parse, cancellation) =>
        {
            Session session = open(parse);
            int number = parse.GetValue(port) ?? PortFromEnvironment(session);
            if (!IPAddress.TryParse(parse.GetValue(host), out IPAddress? address))
            {
                throw new UserErrorException(
                    $"--host: '{parse.GetValue(host)}' is not an IP address");
            }

            int delayMs = parse.GetValue(delay) ?? 0;
            if (number is < 0 or > ushort.MaxValue || delayMs < 0)
            {
                throw new UserErrorException("--port is 0 to 65535, --delay-ms is 0 or more");
            }

            string name = session.Caller.Environment.GetValueOrDefault("TESSERA_INSTANCE")
                ?? Environment.MachineName;
            using var server = new WhoamiServer(
                new IPEndPoint(address, number),
                name,
                TimeSpan.FromMilliseconds(delayMs),
                session.Caller.Time);
            session.Output.WriteLine($"{name} listens on {server.Address}");
            await session.Output.FlushAsync(cancellation);
            await server.RunAsync(cancellation);
            return ExitCode.Ok;
        });
        return command;
    }

    private static int PortFromEnvironment(Session session) =>
        int.TryParse(
            session.Caller.Environment.GetValueOrDefault("PORT"),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out int port)
            ? port
            : throw new UserErrorException("give a port: --port N, or PORT in the environment");
}
