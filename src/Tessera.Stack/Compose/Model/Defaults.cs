using System.Collections.Immutable;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>
/// Fills in what the files leave open, as Compose does: the default network, names of resources,
/// absolute paths, protocol and mode of ports. Used by one thread.
/// </summary>
internal sealed class Defaults(
    string projectName,
    string projectDirectory,
    ImmutableSortedDictionary<string, string> variables)
{
    /// <param name="document">Changed in place; the result of the merge.</param>
    public void Apply(MappingNode document)
    {
        document.Set("name", projectName);
        document.Remove("version");
        document.Remove("include");
        if (document["services"] is not MappingNode services)
        {
            document.Set("services", services = new MappingNode(document.Position));
        }

        foreach (MappingEntry entry in services.Entries)
        {
            Complete((MappingNode)entry.Value);
        }

        CompleteNetworks(document, services);
        foreach (string kind in (string[])["volumes", "secrets", "configs"])
        {
            CompleteResources(document, kind);
        }

        foreach (MappingNode volume in Values(document, "volumes"))
        {
            CompleteBindVolume(volume);
        }

        UsedResources.Keep(document, services);
    }

    private void Complete(MappingNode service)
    {
        foreach (string command in (string[])["command", "entrypoint"])
        {
            if (!service.Contains(command))
            {
                service.Set(command, ScalarNode.Null(service.Position));
            }
        }

        if (!service.Contains("network_mode") && service.EntriesOf("networks").Count == 0)
        {
            MappingNode networks = new(service.Position);
            networks.Set("default", ScalarNode.Null(service.Position));
            service.Set("networks", networks);
        }

        if (service["build"] is MappingNode build)
        {
            CompleteBuild(build);
        }

        if (service["deploy"] is MappingNode deploy)
        {
            CompleteDeploy(service, deploy);
        }

        ImpliedDependencies.Add(service);
        if (TextOf(service, "pull_policy") == "if_not_present")
        {
            service.Set("pull_policy", "missing");
        }

        foreach (MappingNode watch in service["develop"] is MappingNode develop
            ? Records(develop, "watch")
            : [])
        {
            watch.Set("path", Paths.Absolute(TextOf(watch, "path"), projectDirectory, variables));
        }

        foreach (MappingNode port in Records(service, "ports"))
        {
            SetMissing(port, "mode", "ingress");
            SetMissing(port, "protocol", "tcp");
        }

        foreach (MappingNode dependency in Values(service, "depends_on"))
        {
            SetMissing(dependency, "condition", "service_started");
            if (!dependency.Contains("required"))
            {
                dependency.Set("required", ScalarNode.Of(dependency.Position, true));
            }
        }

        foreach (MappingNode volume in Records(service, "volumes"))
        {
            CompleteVolume(volume);
        }

        foreach (MappingNode secret in Records(service, "secrets"))
        {
            SetMissing(secret, "target", "/run/secrets/" + TextOf(secret, "source"));
        }
    }

    private void CompleteBuild(MappingNode build)
    {
        string context = TextOf(build, "context") is { Length: > 0 } named ? named : ".";
        if (!Paths.IsRemote(context))
        {
            context = Paths.Absolute(context, projectDirectory, variables);
        }

        build.Set("context", context);
        if (!build.Contains("dockerfile_inline"))
        {
            SetMissing(build, "dockerfile", "Dockerfile");
        }

        ResolveBareNames(build, "args");
        foreach (MappingEntry entry in build.EntriesOf("additional_contexts").ToArray())
        {
            string path = TextOf(entry.Value);
            if (!Paths.IsRemote(path) && !path.Contains(':', StringComparison.Ordinal))
            {
                ((MappingNode)build["additional_contexts"]!).Set(
                    entry.Key, Paths.Absolute(path, projectDirectory, variables));
            }
        }
    }

    /// <summary>Arguments without a value are the caller's; those that nobody has are left
    /// out.</summary>
    private void ResolveBareNames(MappingNode owner, string key)
    {
        if (owner[key] is not MappingNode values)
        {
            return;
        }

        foreach (MappingEntry entry in values.Entries.Where(entry => entry.Value.IsNull).ToArray())
        {
            if (variables.TryGetValue(entry.Key, out string? value))
            {
                values.Set(entry.Key, value);
            }
            else
            {
                values.Remove(entry.Key);
            }
        }
    }

    private static void CompleteDeploy(MappingNode service, MappingNode deploy)
    {
        foreach (string part in (string[])["resources", "placement"])
        {
            if (!deploy.Contains(part))
            {
                deploy.Set(part, new MappingNode(deploy.Position));
            }
        }

        if (service["scale"] is { } scale)
        {
            deploy.Set("replicas", scale);
        }

        MappingNode? reservations =
            ((MappingNode)deploy["resources"]!)["reservations"] as MappingNode;
        foreach (MappingNode device in reservations is null ? [] : Records(reservations, "devices"))
        {
            if (!device.Contains("count") && !device.Contains("device_ids"))
            {
                device.Set("count", ScalarNode.Of(device.Position, -1L));
            }
        }
    }

    private void CompleteVolume(MappingNode volume)
    {
        if (TextOf(volume, "type") == "bind" && TextOf(volume, "source") is { Length: > 0 } source)
        {
            volume.Set("source", Paths.Absolute(source, projectDirectory, variables));
        }
    }

    /// <summary>A volume of the driver <c>local</c> may be a folder of the host.</summary>
    private void CompleteBindVolume(MappingNode volume)
    {
        if (TextOf(volume, "driver") == "local" && volume["driver_opts"] is MappingNode options
            && TextOf(options, "o") == "bind"
            && TextOf(options, "device") is { Length: > 0 } device)
        {
            options.Set("device", Paths.Absolute(device, projectDirectory, variables));
        }
    }

    private void CompleteNetworks(MappingNode document, MappingNode services)
    {
        MappingNode networks = document["networks"] as MappingNode ?? new(document.Position);
        bool usesDefault = services.Entries.Any(entry =>
            ((MappingNode)entry.Value)["networks"] is MappingNode used && used.Contains("default"));
        if (usesDefault && networks["default"] is not MappingNode)
        {
            networks.Set("default", new MappingNode(document.Position));
        }

        document.Set("networks", networks);
        CompleteResources(document, "networks");
        foreach (MappingNode network in Values(document, "networks"))
        {
            if (!network.Contains("ipam"))
            {
                network.Set("ipam", new MappingNode(network.Position));
            }
        }
    }

    private void CompleteResources(MappingNode document, string kind)
    {
        if (document[kind] is not MappingNode resources)
        {
            return;
        }

        foreach (MappingEntry entry in resources.Entries.ToArray())
        {
            MappingNode resource = entry.Value as MappingNode ?? new(entry.Value.Position);
            resources.Set(entry.Key, entry.KeyPosition, resource);
            bool isExternal = resource["external"] is MappingNode or ScalarNode { Value: true };
            if (resource["external"] is MappingNode old)
            {
                SetMissing(resource, "name", TextOf(old, "name"));
                resource.Set("external", ScalarNode.Of(old.Position, true));
            }

            SetMissing(resource, "name", isExternal ? entry.Key : $"{projectName}_{entry.Key}");
            if (TextOf(resource, "file") is { Length: > 0 } file)
            {
                resource.Set("file", Paths.Absolute(file, projectDirectory, variables));
            }
        }
    }

    private static void SetMissing(MappingNode owner, string key, string value)
    {
        if (TextOf(owner, key).Length == 0 && value.Length > 0)
        {
            owner.Set(key, value);
        }
    }

    private static IEnumerable<MappingNode> Records(MappingNode owner, string key) =>
        owner.ItemsOf(key).OfType<MappingNode>();

    private static IEnumerable<MappingNode> Values(MappingNode owner, string key) =>
        owner.EntriesOf(key).Select(entry => entry.Value).OfType<MappingNode>();
}
