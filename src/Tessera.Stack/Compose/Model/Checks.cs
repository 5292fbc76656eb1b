using System.Globalization;
using Tessera.Stack.Compose.Schema;
using Tessera.Stack.Compose.Values;
using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Model;

/// <summary>What can only be checked once all files are one: values against each other.</summary>
internal sealed class Checks(MappingNode document, Problems problems)
{
    public const int MaxScale = 10_000;

    private readonly MappingNode _services = (MappingNode)document["services"]!;

    /// <param name="disabled">Services that no enabled profile includes.</param>
    public void Run(IReadOnlyDictionary<string, MappingNode> disabled)
    {
        foreach (MappingEntry entry in _services.Entries)
        {
            MappingNode service = (MappingNode)entry.Value;
            CheckRunnable(entry.Key, entry.KeyPosition, service);
            CheckScale(entry.Key, service);
            CheckValues(entry.Key, service);
            CheckHealthcheck(entry.Key, service);
            CheckPorts(entry.Key, service);
            CheckReferences(entry.Key, service);
            CheckDependencies(entry.Key, service, disabled);
        }

        CheckSecrets();
        DependencyCycles.Check(_services, problems);
        PublishedPorts.Check(document, problems);
        SharedBackends.Check(_services, problems);
    }

    /// <summary>True for a service that only a container engine can run.</summary>
    public static bool IsContainer(MappingNode service) =>
        service.Contains("image") || service.Contains("build");

    private void CheckRunnable(string name, SourcePosition position, MappingNode service)
    {
        bool hasCommand = HasWords(service, "command") || HasWords(service, "entrypoint");
        bool isExternal = service[TesseraSchema.Name] is MappingNode options
            && options["endpoints"] is SequenceNode { Items.Count: > 0 };
        if (isExternal && hasCommand)
        {
            problems.Add(
                position,
                $"service \"{name}\" has endpoints, which already run, and a command; take one " +
                "of them away");
        }
        else if (!hasCommand && service[TesseraSchema.Name] is MappingNode external
            && external["endpoints"] is SequenceNode { Items.Count: 0 } none)
        {
            problems.Add(
                none.Position,
                $"services.{name}.{TesseraSchema.Name}.endpoints is empty: name one server at "
                + "least, such as \"192.0.2.7:8080\"");
        }
        else if (!isExternal && !hasCommand && !IsContainer(service)
            && !service.Contains("provider") && !AnswersByItself(service))
        {
            problems.Add(
                position,
                $"service \"{name}\" has nothing to run: give it a command (or entrypoint), an " +
                "image or build, or x-tessera.endpoints (or files, nginx, redirect, reply)");
        }

        Node? scale = service["scale"] ?? (service["deploy"] as MappingNode)?["replicas"];
        if (isExternal && scale is not null)
        {
            problems.Add(
                scale.Position,
                $"service \"{name}\" has endpoints, which already run: it cannot be scaled; " +
                "add endpoints instead");
        }
    }

    /// <summary>With the service's own rule, or with one on each of its routes.</summary>
    private static bool AnswersByItself(MappingNode service)
    {
        return service[TesseraSchema.Name] is MappingNode options
            && (Answers(options) || options.Contains("nginx")
                || (options.EntriesOf("routes") is { Count: > 0 } routes
                && routes.All(route => route.Value is MappingNode own && Answers(own))));

        static bool Answers(MappingNode rules) => rules.Contains("files")
            || rules.Contains("redirect") || rules.Contains("reply");
    }

    private void CheckScale(string name, MappingNode service)
    {
        Node? scale = service["scale"];
        Node? replicas = (service["deploy"] as MappingNode)?["replicas"];
        if (scale is not null && replicas is not null && TextOf(scale) != TextOf(replicas))
        {
            problems.Add(
                scale.Position,
                $"services.{name}: can't set distinct values on 'scale' and 'deploy.replicas'");
        }

        if ((scale ?? replicas) is not ScalarNode { Value: long count } node)
        {
            return;
        }

        if (count is < 0 or > MaxScale)
        {
            problems.Add(
                node.Position,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"services.{name}.scale must be 0 to {MaxScale}, not {count}"));
        }

        if (count > 1 && (service[TesseraSchema.Name] as MappingNode)?["port"] is not null)
        {
            problems.Add(
                node.Position,
                $"service \"{name}\" always listens on x-tessera.port: it has one instance at " +
                "most");
        }
    }

    private void CheckValues(string name, MappingNode service)
    {
        if (service["restart"] is ScalarNode { Value: string restart } policy
            && RestartSyntax.Parse(restart, out string problem) is null)
        {
            problems.Add(policy.Position, $"services.{name}.restart: {problem}");
        }

        if (service["stop_signal"] is ScalarNode { Value: string signal } stop
            && !IsContainer(service) && SignalName.Normalise(signal) is null)
        {
            string nearest = EditDistance.Nearest(
                signal, SignalName.All.Select(known => known.ToLowerInvariant())) is { } near
                ? $"; did you mean {near.ToUpperInvariant()}?"
                : "";
            problems.Add(
                stop.Position, $"services.{name}.stop_signal: there is no signal " +
                $"\"{signal}\"{nearest}");
        }

        if (service["stop_grace_period"] is ScalarNode grace && TextOf(grace).StartsWith('-'))
        {
            problems.Add(grace.Position, $"services.{name}.stop_grace_period must not be negative");
        }

        if (service["user"] is ScalarNode { Value: string user } who && !IsUser(user))
        {
            problems.Add(
                who.Position,
                $"services.{name}.user must be user[:group], names or numbers, not \"{user}\"");
        }

        if (!IsContainer(service))
        {
            ServiceLimits.Check(name, service, problems);
            OptionsBinder.Bind(name, service, problems);
            RouteLabels.ReadScale(name, service, problems);
        }
    }

    private void CheckHealthcheck(string name, MappingNode service)
    {
        if (service["healthcheck"] is not MappingNode healthcheck)
        {
            return;
        }

        string path = $"services.{name}.healthcheck";
        if (healthcheck["test"] is SequenceNode test)
        {
            string kind = test.Items.Count == 0 ? "" : TextOf(test.Items[0]);
            if (kind is not ("NONE" or "CMD" or "CMD-SHELL") && test.Items.Count > 0)
            {
                problems.Add(
                    test.Position,
                    $"{path}.test must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\"");
            }
            else if (kind is "CMD" or "CMD-SHELL" && test.Items.Count == 1)
            {
                problems.Add(test.Position, $"{path}.test has no command after \"{kind}\"");
            }
        }

        if (healthcheck["start_interval"] is { } interval && !healthcheck.Contains("start_period"))
        {
            problems.Add(
                interval.Position,
                $"{path}.start_interval requires {path}.start_period to be set");
        }

        if (healthcheck["retries"] is ScalarNode { Value: < 0L } retries)
        {
            problems.Add(retries.Position, $"{path}.retries must not be negative");
        }

        foreach (string key in (string[])["interval", "timeout", "start_period", "start_interval"])
        {
            if (healthcheck[key] is ScalarNode duration && TextOf(duration).StartsWith('-'))
            {
                problems.Add(duration.Position, $"{path}.{key} must not be negative");
            }
        }
    }

    private void CheckPorts(string name, MappingNode service)
    {
        foreach (MappingNode port in service.ItemsOf("ports").OfType<MappingNode>())
        {
            if (port["target"] is ScalarNode { Value: < 1L or > 65_535L } target)
            {
                problems.Add(
                    target.Position, $"services.{name}.ports: {target.Text} is no port (1 to " +
                    "65535)");
            }

            if (TextOf(port, "published") is { Length: > 0 } published
                && !PortSpec.TryRange(published, out _, out _) && published != "0")
            {
                problems.Add(
                    port["published"]!.Position,
                    $"services.{name}.ports: \"{published}\" is no port or range of ports (1 " +
                    "to 65535)");
            }

            if (TextOf(port, "protocol") is { Length: > 0 } and not ("tcp" or "udp" or "sctp"))
            {
                problems.Add(
                    port["protocol"]!.Position,
                    $"services.{name}.ports: the protocol is tcp, udp or sctp, not " +
                    $"\"{TextOf(port, "protocol")}\"");
            }

            if (TextOf(port, "app_protocol") is { Length: > 0 } application
                && AppProtocol.Normalise(application) is null && !IsContainer(service))
            {
                problems.Warn(
                    $"{port["app_protocol"]!.Position}: services.{name}.ports: app_protocol " +
                    $"\"{application}\" is none of {AppProtocol.Known}; HTTP or TCP is told from " +
                    "the first bytes.");
            }
        }

        foreach (Node exposed in service.ItemsOf("expose"))
        {
            string range = TextOf(exposed).Split('/')[0];
            if (!PortSpec.TryRange(range, out _, out _))
            {
                problems.Add(
                    exposed.Position,
                    $"services.{name}.expose: \"{TextOf(exposed)}\" is no port or range of ports " +
                    "(1 to 65535)");
            }
        }
    }

    private void CheckReferences(string name, MappingNode service)
    {
        if (service["networks"] is MappingNode networks)
        {
            foreach (MappingEntry entry in networks.Entries.Where(entry => entry.Key != "default"))
            {
                CheckReference(name, "network", "networks", entry.Key, entry.KeyPosition);
            }
        }

        foreach (string kind in (string[])["secrets", "configs"])
        {
            foreach (Node reference in service.ItemsOf(kind))
            {
                CheckReference(
                    name, kind[..^1], kind, TextOf(reference, "source"), reference.Position);
            }
        }

        foreach (Node volume in service.ItemsOf("volumes"))
        {
            if (TextOf(volume, "type") == "volume"
                && TextOf(volume, "source") is { Length: > 0 } source)
            {
                CheckReference(name, "volume", "volumes", source, volume.Position);
            }
        }
    }

    private void CheckSecrets()
    {
        foreach (MappingEntry entry in document.EntriesOf("secrets"))
        {
            if (entry.Value is MappingNode secret && !secret.Contains("file")
                && !secret.Contains("environment") && !secret.Contains("external")
                && !secret.Contains("driver"))
            {
                problems.Add(
                    entry.KeyPosition,
                    $"secret \"{entry.Key}\" must declare either `file` or `environment`");
            }
        }
    }

    private void CheckReference(
        string service, string what, string key, string name, SourcePosition position)
    {
        if (document[key] is MappingNode known && known.Contains(name))
        {
            return;
        }

        problems.Add(position, $"service \"{service}\" refers to undefined {what} {name}");
    }

    private void CheckDependencies(
        string name, MappingNode service, IReadOnlyDictionary<string, MappingNode> disabled)
    {
        if (service["depends_on"] is not MappingNode dependencies)
        {
            return;
        }

        foreach (MappingEntry entry in dependencies.Entries)
        {
            bool isRequired =
                (entry.Value as MappingNode)?["required"] is not ScalarNode { Value: false };
            if (_services.Contains(entry.Key) || !isRequired)
            {
                continue;
            }

            if (disabled.TryGetValue(entry.Key, out MappingNode? other))
            {
                IEnumerable<string> profiles = other.ItemsOf("profiles").Select(TextOf);
                problems.Add(
                    entry.KeyPosition,
                    $"service \"{name}\" depends on \"{entry.Key}\", which no enabled profile " +
                    $"includes; enable one of its profiles ({string.Join(", ", profiles)}), or " +
                    "write \"required: false\"");
                continue;
            }

            string? nearest = problems.IsFull ? null : EditDistance.Nearest(
                entry.Key,
                _services.Entries.Select(known => known.Key).Where(known => known != name));
            problems.Add(
                entry.KeyPosition,
                $"service \"{name}\" depends on undefined service \"{entry.Key}\"" +
                (nearest is null ? "" : $"; did you mean \"{nearest}\"?"));
        }
    }

    private static bool HasWords(MappingNode service, string key) =>
        service[key] is SequenceNode { Items.Count: > 0 };

    private static bool IsUser(string text)
    {
        string[] parts = text.Split(':');
        return parts.Length <= 2 && parts.All(part =>
            part.Length is > 0 and <= 256 && !part.Any(char.IsWhiteSpace) && part[0] != '-');
    }
}
