using Tessera.Proxy;
using Tessera.Proxy.Nginx;

namespace Tessera.Tests.Proxy.Nginx;

/// <summary>Reads configurations that a test writes. Stateless.</summary>
internal static class NginxText
{
    /// <summary>The model of what stands in one http block.</summary>
    public static ProxyConfig ReadHttp(string http)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("tessera-nginx-");
        try
        {
            File.WriteAllText(
                Path.Combine(folder.FullName, "nginx.conf"), $"events {{}} http {{\n{http}\n}}\n");
            return NginxReader.Read(new NginxSource(folder.FullName, "nginx.conf")).Proxy;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The model of what stands in one server.</summary>
    public static ServerConfig ReadServer(string server) =>
        ReadHttp($"server {{\n{server}\n}}").Listeners[0].Servers[0];

    /// <summary>What is wrong with an http block, without the name of the file's folder.</summary>
    public static string ErrorOf(string http)
    {
        try
        {
            ReadHttp(http);
            return "";
        }
        catch (NginxConfigException error)
        {
            int file = error.Message.IndexOf(" in /", StringComparison.Ordinal);
            int name = error.Message.LastIndexOf('/');
            return file < 0
                ? error.Message
                : error.Message[..(file + 4)] + error.Message[(name + 1)..];
        }
    }
}
