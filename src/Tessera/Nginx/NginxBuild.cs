using System.Runtime.InteropServices;
using Tessera.Proxy;
using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>What -v, -V and -h print. Stateless.</summary>
internal static class NginxBuild
{
    public static string Name => $"{NginxVersion.Product} (Tessera {ProgramVersion.Text})";

    public static string Describe(NginxArguments arguments)
    {
        string text = $"nginx version: {Name}\n";
        if (arguments.ShowsHelp)
        {
            text += Help;
        }

        return arguments.ShowsBuild
            ? text + $"built with {RuntimeInformation.FrameworkDescription}\n"
                + $"configure arguments: {string.Join(' ', NginxModules.ConfigureArguments)}\n"
            : text;
    }

    private const string Help =
        $"""
        Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]
                     [-e filename] [-c filename] [-g directives]

        Options:
          -?,-h         : this help
          -v            : show version and exit
          -V            : show version and configure options then exit
          -t            : test configuration and exit
          -T            : test configuration, dump it and exit
          -q            : suppress non-error messages during configuration testing
          -s signal     : send signal to a master process: stop, quit, reopen, reload
          -p prefix     : set prefix path (default: {NginxPlaces.Prefix})
          -e filename   : set error log file
          -c filename   : set configuration file
          -g directives : set global directives out of configuration file
          --lenient     : warn of directives that are not supported, and go on


        """;
}
