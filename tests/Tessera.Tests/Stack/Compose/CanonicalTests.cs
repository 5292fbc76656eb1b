using System.Text.Json.Nodes;
using Shouldly;
using Tessera.Stack.Compose;
using Xunit;

namespace Tessera.Tests.Stack.Compose;

/// <summary>Whole documents as <c>docker compose config</c> prints them.</summary>
public sealed class CanonicalTests
{
    private const string Hello = """
        x-note: { b: 1 }
        services:
          web:
            command: tessera whoami --port $$PORT
            ports: ["8080:80"]
            scale: 3
            restart: always
            x-own: gone in JSON
            environment: { YES: "yes", NUMBER: 8, TEXT: "two\nlines\n", NONE: }
            labels: [a.b=$$c]
          db:
            image: postgres:17
            depends_on: [web]
            volumes: ["data:/var/lib/data"]
            healthcheck: { test: pg_isready, interval: 90s, retries: 0 }
            deploy: { replicas: 2 }
            extra_hosts: ["b:192.0.2.1", "a=192.0.2.2"]
            ulimits: { nofile: 1024, nproc: { soft: 1, hard: 2 } }
            secrets: [key]
        volumes: { data: }
        secrets: { key: { file: ./key.txt } }
        networks: { default: { external: { name: outside } } }
        """;

    private const string HelloJson = """
        {
          "name": "demo",
          "networks": {
            "default": {
              "name": "outside",
              "ipam": {},
              "external": true
            }
          },
          "secrets": {
            "key": {
              "name": "demo_key",
              "file": "@DIR@/key.txt"
            }
          },
          "services": {
            "db": {
              "command": null,
              "depends_on": {
                "web": {
                  "condition": "service_started",
                  "required": true
                }
              },
              "deploy": {
                "replicas": 2,
                "resources": {},
                "placement": {}
              },
              "entrypoint": null,
              "extra_hosts": [
                "a=192.0.2.2",
                "b=192.0.2.1"
              ],
              "healthcheck": {
                "test": [
                  "CMD-SHELL",
                  "pg_isready"
                ],
                "interval": "1m30s",
                "retries": 0
              },
              "image": "postgres:17",
              "networks": {
                "default": null
              },
              "secrets": [
                {
                  "source": "key",
                  "target": "/run/secrets/key"
                }
              ],
              "ulimits": {
                "nofile": 1024,
                "nproc": {
                  "soft": 1,
                  "hard": 2
                }
              },
              "volumes": [
                {
                  "type": "volume",
                  "source": "data",
                  "target": "/var/lib/data",
                  "volume": {}
                }
              ]
            },
            "web": {
              "command": [
                "tessera",
                "whoami",
                "--port",
                "$$PORT"
              ],
              "entrypoint": null,
              "environment": {
                "NONE": null,
                "NUMBER": "8",
                "TEXT": "two\nlines\n",
                "YES": "yes"
              },
              "labels": {
                "a.b": "$$c"
              },
              "networks": {
                "default": null
              },
              "ports": [
                {
                  "mode": "ingress",
                  "target": 80,
                  "published": "8080",
                  "protocol": "tcp"
                }
              ],
              "restart": "always",
              "scale": 3
            }
          },
          "volumes": {
            "data": {
              "name": "demo_data"
            }
          },
          "x-note": {
            "b": 1
          }
        }

        """;

    private const string HelloYaml = """
        name: demo
        services:
          db:
            depends_on:
              web:
                condition: service_started
                required: true
            deploy:
              replicas: 2
            extra_hosts:
              - a=192.0.2.2
              - b=192.0.2.1
            healthcheck:
              test:
                - CMD-SHELL
                - pg_isready
              interval: 1m30s
              retries: 0
            image: postgres:17
            networks:
              default: null
            secrets:
              - source: key
                target: /run/secrets/key
            ulimits:
              nofile: 1024
              nproc:
                soft: 1
                hard: 2
            volumes:
              - type: volume
                source: data
                target: /var/lib/data
                volume: {}
          web:
            command:
              - tessera
              - whoami
              - --port
              - $$PORT
            environment:
              NONE: null
              NUMBER: "8"
              TEXT: |
                two
                lines
              "YES": "yes"
            labels:
              a.b: $$c
            networks:
              default: null
            ports:
              - mode: ingress
                target: 80
                published: "8080"
                protocol: tcp
            restart: always
            scale: 3
            x-own: gone in JSON
        networks:
          default:
            name: outside
            external: true
        volumes:
          data:
            name: demo_data
        secrets:
          key:
            name: demo_key
            file: @DIR@/key.txt
        x-note:
          b: 1

        """;

    [Fact]
    public void Json()
    {
        using ProjectFolder folder = new(Hello);
        folder.Json().ShouldBe(HelloJson);
    }

    [Fact]
    public void Yaml()
    {
        using ProjectFolder folder = new(Hello);
        folder.Yaml().ShouldBe(HelloYaml);
    }

    [Theory]
    [InlineData("plain words", "plain words")]
    [InlineData("", "\"\"")]
    [InlineData("true", "\"true\"")]
    [InlineData("no", "\"no\"")]
    [InlineData("12", "\"12\"")]
    [InlineData("1:20", "\"1:20\"")]
    [InlineData("2026-11-21", "\"2026-11-21\"")]
    [InlineData("null", "\"null\"")]
    [InlineData("a: b", "'a: b'")]
    [InlineData("it's", "it's")]
    [InlineData("'quoted'", "'''quoted'''")]
    [InlineData("- x", "'- x'")]
    [InlineData("-x", "-x")]
    [InlineData("a #b", "'a #b'")]
    [InlineData("*star", "'*star'")]
    [InlineData("{x}", "'{x}'")]
    [InlineData(" lead", "' lead'")]
    [InlineData("tab\there", "\"tab\\there\"")]
    [InlineData("bell\u0007", "\"bell\\x07\"")]
    [InlineData("ünï", "ünï")]
    [InlineData("end:", "'end:'")]
    public void Yaml_quotes_only_where_it_must(string value, string expected)
    {
        using ProjectFolder folder = new(
            "services: { a: { command: x, environment: { V: \"$VALUE\" } } }");
        folder.Environment["VALUE"] = value;
        folder.Yaml().ShouldContain($"      V: {expected}\n");
    }

    [Fact]
    public void Yaml_loads_to_the_same_document()
    {
        using ProjectFolder folder = new(Hello);
        LoadedProject first = folder.Load();
        folder.Write("again.yaml", CanonicalText.Yaml(first.CanonicalJson));
        LoadedProject second = ComposeLoader.Load(
            folder.Request("again.yaml") with { ProjectName = null });
        CanonicalText.Json(second.CanonicalJson).ShouldBe(CanonicalText.Json(first.CanonicalJson));
        second.Project.Services["web"].ProcessHash
            .ShouldBe(first.Project.Services["web"].ProcessHash);
    }

    [Fact]
    public void Prints_chosen_services_with_what_they_need()
    {
        using ProjectFolder folder = new("""
            services:
              a: { command: x, depends_on: [b] }
              b: { command: x }
              c: { command: x }
            """);
        string json = CanonicalText.Json(folder.Load().CanonicalJson, "a");
        JsonNode.Parse(json)!["services"]!.AsObject().Select(pair => pair.Key).ShouldBe(["a", "b"]);
    }

    [Fact]
    public void Printed_text_hides_where_it_came_from()
    {
        using ProjectFolder folder = new(Hello);
        string json = folder.Load().CanonicalJson;
        JsonNode.Parse(json)!["x-tessera-source"]!["working_dir"]!.GetValue<string>()
            .ShouldBe(folder.Path);
        CanonicalText.Json(json).ShouldNotContain("x-tessera-source");
        CanonicalText.Yaml(json).ShouldNotContain("x-tessera-source");
    }
}
