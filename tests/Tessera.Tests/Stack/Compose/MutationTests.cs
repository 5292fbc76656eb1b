using System.Collections.Immutable;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Shouldly;
using Tessera.Stack;
using Tessera.Stack.Compose;
using Tessera.Stack.Compose.Variables;
using Tessera.Stack.Compose.Yaml;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>Damaged files end in an error that a person can read, never in anything else.</summary>
public sealed class MutationTests
{
    private const string Valid = """
        name: demo
        x-base: &base { restart: always, environment: &env { A: "1" } }
        services:
          web:
            <<: *base
            command: tessera whoami --port $$PORT "quoted word"
            environment: { <<: *env, B: "${HOME:-x}", C: }
            ports: ["8080-8082:80-82/tcp", { target: 90, published: "9090", host_ip: 127.0.0.1 }]
            expose: [3000, "4000-4001"]
            depends_on: { db: { condition: service_healthy, required: true } }
            scale: 2
            deploy: { replicas: 2 }
            healthcheck: { test: [CMD, curl, x], interval: 1m30s, retries: 3 }
            stop_signal: SIGINT
            stop_grace_period: 5s
            labels: [a=b, "c=${D:+e}"]
            ulimits: { nofile: { soft: 10, hard: 20 }, nproc: 5 }
            profiles: !reset []
            x-tessera: { balance: ip_hash, weights: [1, 2], hold_queue: 5 }
          db:
            image: postgres
            build: { context: ., args: [X], ssh: [default], extra_hosts: ["a:1.2.3.4"] }
            volumes: ["data:/data:ro", { type: bind, source: ./x, target: /y, bind: {} }]
            env_file: [{ path: none.env, required: false, format: raw }]
            networks: { back: { aliases: [x] } }
            secrets: [{ source: key, mode: 0440 }]
            configs: [conf]
            devices: ["/dev/a:/dev/b:r"]
          more: { extends: { service: web }, ports: !override [] }
          far:
            x-tessera: { endpoints: ["10.0.0.1:80", { address: "[::1]:81", weight: 2 }] }
        networks: { back: { ipam: { config: [{ subnet: 10.0.0.0/24 }] } } }
        volumes: { data: { external: { name: there } } }
        secrets: { key: { file: ./key } }
        configs: { conf: { content: "a $$b" } }
        ---
        services: { web: { command: !override [echo, "${A-b}"], ports: !override ["1:2"] } }
        """;

    private static readonly string[] Tokens =
    [
        ": ", "- ", "\n", "  ", "\t", "{", "}", "[", "]", "\"", "'", "&a ", "*a", "*base", "<<: ",
        "!reset ", "!override ", "!!int ", "|\n", ">-\n", "? ", "#", "---\n", "...\n", "$", "${",
        "${A:-", "$$", "null", "~", "true", "-1", "99999999999999999999", "1e999", ".nan", "0x",
        "0o8", "services", "command", "x-tessera", "ports", "%", "@", "`", ",", "\r", "\u2028",
        "\u0000", "\uFEFF", "\uD83D\uDE00",
        "depends_on: [web, db, far]", "extends: web", "include: [a.yaml]",
    ];

    [Fact]
    public void The_undamaged_file_loads()
    {
        LoadedProject loaded = Load(Valid);
        loaded.Project.Services["web"].Ports.Length.ShouldBe(1);
        CanonicalText.Yaml(loaded.CanonicalJson).ShouldNotBeEmpty();
    }

    [Fact]
    public void Damaged_files_are_refused_or_load() => Check(500, seed =>
    {
        string damaged = Damage(Valid, new Random(seed));
        try
        {
            LoadedProject loaded = Load(damaged);
            CanonicalText.Json(loaded.CanonicalJson).ShouldNotBeEmpty();
            CanonicalText.Yaml(loaded.CanonicalJson).ShouldNotBeEmpty();
        }
        catch (UserErrorException problem)
        {
            problem.Message.ShouldNotBeEmpty();
        }
    });

    [Fact]
    public void Damaged_documents_are_not_bound()
    {
        string json = Load(Valid).CanonicalJson;
        Check(500, seed =>
        {
            try
            {
                ComposeLoader.Bind(Damage(json, new Random(seed)));
            }
            catch (UserErrorException problem)
            {
                problem.Message.ShouldNotBeEmpty();
            }
        });
    }

    [Fact]
    public void Damaged_env_files_are_refused_or_read() => Check(400, seed =>
    {
        const string Valid = "A=1\nexport B='x'\nC=\"a\\n${A}\" # c\nD: $B\nE\n";
        string damaged = Damage(Valid, new Random(seed));
        try
        {
            EnvironmentFile.Parse("test.env", damaged, _ => null, _ => { });
        }
        catch (UserErrorException problem)
        {
            problem.Message.ShouldStartWith("test.env:");
        }
    });

    [Fact]
    public void Every_string_survives_yaml() => Check(400, seed =>
    {
        Random random = new(seed);
        string text = Damage(Tokens[random.Next(Tokens.Length)], random)
            .Replace("\uFEFF", "", StringComparison.Ordinal)
            .Replace("\0", "", StringComparison.Ordinal);
        if (!IsWellFormed(text))
        {
            return;
        }

        MappingNode root = new(SourcePosition.None);
        root.Set("key", text);
        string yaml = YamlWriter.Write(root);
        MappingNode again = Should.NotThrow(
            () => (MappingNode)YamlReader.Read("x", Encoding.UTF8.GetBytes(yaml))[0], yaml);
        again["key"]!.AsString.ShouldBe(text, yaml);
    });

    private static bool IsWellFormed(string text)
    {
        for (int index = 0; index < text.Length; index++)
        {
            if (char.IsHighSurrogate(text[index]) && index + 1 < text.Length
                && char.IsLowSurrogate(text[index + 1]))
            {
                index++;
            }
            else if (char.IsSurrogate(text[index]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>FsCheck chooses the seeds, so that a failure names the one to repeat.</summary>
    private static void Check(int count, Action<int> body) => Prop
        .ForAll(ArbMap.Default.ArbFor<int>(), body)
        .Check(Config.QuickThrowOnFailure.WithMaxTest(count).WithEndSize(int.MaxValue / 2));

    private static LoadedProject Load(string text)
    {
        string folder = Directory.CreateTempSubdirectory("tessera-mutation-").FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "compose.yaml"), Encoding.UTF8.GetBytes(text));
            return ComposeLoader.Load(new LoadRequest(
                [], null, null, [], [], folder, ImmutableSortedDictionary<string, string>.Empty));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Damage(string text, Random random)
    {
        StringBuilder damaged = new(text);
        int count = random.Next(1, 5);
        for (int change = 0; change < count; change++)
        {
            int place = random.Next(damaged.Length + 1);
            int length = Math.Min(random.Next(1, 30), damaged.Length - place);
            string other = Tokens[random.Next(Tokens.Length)];
            switch (random.Next(5))
            {
                case 0:
                    damaged.Remove(place, length);
                    break;
                case 1:
                    damaged.Insert(place, other);
                    break;
                case 2:
                    damaged.Remove(place, length).Insert(place, other);
                    break;
                case 3:
                    string piece = damaged.ToString(place, length);
                    damaged.Insert(random.Next(damaged.Length + 1), piece);
                    break;
                default:
                    damaged.Insert(
                        place, string.Concat(Enumerable.Repeat(other, random.Next(1, 200))));
                    break;
            }
        }

        return damaged.ToString();
    }
}
