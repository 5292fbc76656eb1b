using Tessera.Proxy.Nginx;

namespace Tessera.Nginx;

/// <summary>
/// Where files are that nobody names: without -p those of nginx's packages, with it a tree of its
/// own, as nginx makes it when it is built without further words. Stateless.
/// </summary>
internal static class NginxPlaces
{
    public const string Prefix = "/etc/nginx/";

    private const string PackageFile = "/etc/nginx/nginx.conf";
    private const string PackageErrorLog = "/var/log/nginx/error.log";
    private const string PackageAccessLog = "/var/log/nginx/access.log";
    private const string PackagePidFile = "/run/nginx.pid";

    public static NginxSource SourceOf(NginxArguments arguments) => arguments.Prefix is { } prefix
        ? new NginxSource(prefix, arguments.File ?? "conf/nginx.conf", arguments.Globals)
        {
            IsLenient = arguments.IsLenient,
            ErrorLog = arguments.ErrorLog ?? "logs/error.log",
        }
        : new NginxSource(Prefix, arguments.File ?? PackageFile, arguments.Globals)
        {
            IsLenient = arguments.IsLenient,
            ErrorLog = arguments.ErrorLog ?? PackageErrorLog,
            AccessLog = PackageAccessLog,
            PidFile = PackagePidFile,
        };
}
