using System.CommandLine;
using System.Text.Json;
using Tessera.Stack;
using Tessera.Stack.Compose;

namespace Tessera.Cli;

/// <summary><c>tessera config</c>: the project as it was understood. Needs no daemon.</summary>
internal static class ConfigCommand
{
    public static Command Create(Func<ParseResult, Session> open)
    {
        var format = new Option<string>("--format")
        {
            Description = "yaml or json",
            HelpName = "format",
            DefaultValueFactory = _ => "yaml",
        };
        format.AcceptOnly("yaml", "json");
        var quiet = new Option<bool>("--quiet", "-q")
        {
            Description = "Check the files, print nothing",
        };
        var servicesOnly = new Option<bool>("--services")
        {
            Description = "Names of services alone",
        };
        var profilesOnly = new Option<bool>("--profiles")
        {
            Description = "Names of profiles alone",
        };
        var hash = new Option<string?>("--hash")
        {
            Description = "Digests of services, or of all (*): one that differs means a restart",
            HelpName = "service,...",
        };
        var outputFile = new Option<string?>("--output", "-o")
        {
            Description = "File to write to instead of stdout",
            HelpName = "path",
        };
        Argument<string[]> services = Arguments.Services(open);
        services.Description = "Services to print; all when none is named";
        var command = new Command("config", "Check the files and print what they mean")
        {
            format, quiet, servicesOnly, profilesOnly, hash, outputFile, services,
        };
        command.SetAction(parse =>
        {
            Session session = open(parse);
            LoadedProject loaded = session.LoadProject();
            string[] names = [.. session.CheckServices(parse.GetValue(services) ?? [])];
            string text =
                parse.GetValue(servicesOnly) ? Lines(loaded.Project.Services.Keys)
                : parse.GetValue(profilesOnly) ? Lines(ProfilesOf(loaded.CanonicalJson))
                : parse.GetValue(hash) is { } wanted ? Hashes(session, loaded.Project, wanted)
                : parse.GetValue(format) == "json" ? CanonicalText.Json(loaded.CanonicalJson, names)
                : CanonicalText.Yaml(loaded.CanonicalJson, names);
            if (parse.GetValue(quiet))
            {
                return ExitCode.Ok;
            }

            if (parse.GetValue(outputFile) is { } path)
            {
                Write(Path.Combine(session.Caller.WorkingDirectory, path), text);
            }
            else
            {
                session.Output.Write(text);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static void Write(string path, string text)
    {
        try
        {
            File.WriteAllText(path, text);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            string why = fault is DirectoryNotFoundException
                ? $"there is no folder '{Path.GetDirectoryName(path)}'"
                : Directory.Exists(path) ? "it is a folder"
                : fault.Message;
            throw new UserErrorException(
                $"--output: '{path}' cannot be written: {why}", ExitCode.Failed);
        }
    }

    private static string Lines(IEnumerable<string> lines) =>
        string.Concat(lines.Select(line => line + "\n"));

    private static string Hashes(Session session, Project project, string wanted)
    {
        IEnumerable<string> names = wanted == "*"
            ? project.Services.Keys
            : session.CheckServices(wanted.Split(','));
        return Lines(names.Select(name => $"{name} {project.Services[name].ProcessHash}"));
    }

    private static SortedSet<string> ProfilesOf(string canonicalJson)
    {
        var profiles = new SortedSet<string>(StringComparer.Ordinal);
        using JsonDocument document = JsonDocument.Parse(canonicalJson);
        if (document.RootElement.TryGetProperty("services", out JsonElement services))
        {
            foreach (JsonProperty service in services.EnumerateObject())
            {
                if (service.Value.TryGetProperty("profiles", out JsonElement names))
                {
                    profiles.UnionWith(names.EnumerateArray().Select(name => name.GetString()!));
                }
            }
        }

        return profiles;
    }
}
