using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>Reads nginx's configuration files. Stateless.</summary>
public static class NginxReader
{
    /// <exception cref="NginxConfigException">The first thing that is wrong.</exception>
    public static NginxConfig Read(NginxSource source)
    {
        // (1) Text to directives, includes in their places.
        var files = new NginxFiles(source);
        var parser = new NginxParser(files);
        ImmutableArray<NginxDirective> directives =
        [
            .. parser.ParseParameter(source.Globals),
            .. parser.Parse(files.MainFile, files.ReadMain()),
        ];

        if (source.IsGuest)
        {
            directives = Completed(directives);
        }

        // (2) What is wrong is told from the top: of the directives before the syntax broke first.
        var warnings = ImmutableArray.CreateBuilder<string>();
        directives = DirectiveTable.Check(
            directives, NginxContext.Main, new DirectiveCheck(source.IsLenient, warnings.Add));
        if (parser.Failure is { } failure)
        {
            throw failure;
        }

        // (3) Directives to the model of the data plane.
        var main = new NginxScope(NginxContext.Main, directives, outer: null);
        if (main.FindHere("events") is null)
        {
            throw new NginxConfigException("no \"events\" section in configuration")
            {
                IsBehindSyntax = true,
            };
        }

        if (!source.IsGuest)
        {
            CoreModule.Warn(main, warnings.Add);
        }

        ProxyConfig http = HttpModule.Read(main, files, warnings.Add);
        ProxyConfig stream = StreamModule.Read(main, files, warnings.Add);
        return new NginxConfig
        {
            Proxy = http with
            {
                Listeners = [.. http.Listeners, .. stream.Listeners],
                DatagramListeners = stream.DatagramListeners,
                Backends = [.. http.Backends, .. stream.Backends],
                Variables = Unite(http.Variables, stream.Variables),
                ErrorLogs = LogModule.ReadErrorLogs(main, files) is { IsDefault: false } logs
                    ? logs
                    : [LogModule.DefaultErrorLog(source)],
            },
            Options = CoreModule.ReadOptions(main) with
            {
                Rights = source.IsGuest ? null : CoreModule.ReadRights(main),
            },
            Process = CoreModule.ReadProcess(main, files),
            LogFiles = [.. files.Logs],
            TemporaryFolders = [.. files.TemporaryFolders],
            Warnings = warnings.ToImmutable(),
            Files = [.. files.Dump],
            Texts = files.Texts,
        };
    }

    /// <summary>
    /// With the blocks that somebody leaves out who writes files for the folder of a package:
    /// servers and upstreams alone, or none of what concerns the process.
    /// </summary>
    private static ImmutableArray<NginxDirective> Completed(
        ImmutableArray<NginxDirective> directives)
    {
        if (!directives.Any(directive => directive.Name is "http" or "stream" or "events")
            && directives.Any(directive => directive.Name is "server" or "upstream"))
        {
            directives = [new NginxDirective("http", [], directives[^1].Position)
            {
                Block = directives,
            }];
        }

        return directives.Any(directive => directive.Name == "events") || directives.IsEmpty
            ? directives
            : directives.Add(
                new NginxDirective("events", [], directives[^1].Position) { Block = [] });
    }

    /// <summary>The blocks share names of variables, which only set may give to both.</summary>
    private static ImmutableArray<VariableConfig> Unite(
        ImmutableArray<VariableConfig> http, ImmutableArray<VariableConfig> stream)
    {
        foreach (VariableConfig variable in stream)
        {
            if (http.FirstOrDefault(v => v.Name == variable.Name) is { } other
                && !(variable is SetVariableConfig && other is SetVariableConfig))
            {
                throw new NginxConfigException(
                    $"the variable \"{variable.Name}\" of both \"http\" and \"stream\" is not "
                    + "supported by Tessera");
            }
        }

        return [.. http, .. stream.Where(v => http.All(other => other.Name != v.Name))];
    }
}
