using System.Collections.Immutable;
using System.Net;
using Tessera.Proxy.Access;

namespace Tessera.Proxy.Nginx;

/// <summary>
/// Who may pass: ngx_http_access_module, ngx_http_auth_basic_module and
/// ngx_http_auth_request_module. Stateless.
/// </summary>
internal static class AccessModule
{
    private const NginxContext Anywhere =
        NginxContext.HttpServerLocation | NginxContext.LimitExcept;

    public static DirectiveRule[] Directives { get; } =
    [
        new("allow", Anywhere) { MayRepeat = true, Check = NetworkText.CheckRule },
        new("deny", Anywhere) { MayRepeat = true, Check = NetworkText.CheckRule },
        new("satisfy", NginxContext.HttpServerLocation) { Choices = ["all", "any"] },
        new("auth_basic", Anywhere),
        new("auth_basic_user_file", Anywhere),
        new("auth_delay", NginxContext.HttpServerLocation) { Kind = ValueKind.Milliseconds },
        new("auth_request", NginxContext.HttpServerLocation),
        new("auth_request_set", NginxContext.HttpServerLocation, 2, 2) { MayRepeat = true },
    ];

    public static RouteConfig Apply(NginxScope scope, RouteConfig route, HttpReading reading)
    {
        bool isAnyEnough = scope.Text("satisfy", "all") == "any";
        ImmutableArray<AddressRule> addresses =
            [.. scope.AllOf("allow", "deny").SelectMany(ReadRule)];
        BasicAuthConfig? passwords = ReadPasswords(scope, reading);
        return route with
        {
            Access = addresses.IsEmpty && passwords is null
                ? null
                : new AccessConfig
                {
                    Addresses = addresses,
                    BasicAuth = passwords,
                    IsAnyEnough = isAnyEnough,
                    DelayMs = scope.Milliseconds("auth_delay", 0),
                },
            Location = route.Location! with
            {
                AuthRequest = ReadQuestion(scope, reading, isAnyEnough),
            },
        };
    }

    private static IEnumerable<AddressRule> ReadRule(NginxDirective directive)
    {
        bool isAllowed = directive.Name == "allow";
        return directive.Value switch
        {
            "all" => [new AddressRule(isAllowed, null)],

            "unix:" => [new AddressRule(isAllowed, null) { IsUnix = true }],
            var text => [new AddressRule(isAllowed, ReadNetwork(directive, text))],
        };
    }

    private static IPNetwork ReadNetwork(NginxDirective directive, string text)
    {
        try
        {
            return NetworkText.Read(directive, text);
        }
        catch (NginxConfigException)
        {
            throw directive.Error($"invalid parameter \"{text}\"");
        }
    }

    private static BasicAuthConfig? ReadPasswords(NginxScope scope, HttpReading reading)
    {
        if (scope.Find("auth_basic") is not { } realm || realm.Value == "off"
            || scope.Find("auth_basic_user_file") is not { } file)
        {
            return null;
        }

        NginxVariables.CheckText(realm, realm.Value);
        var auth = new BasicAuthConfig { Realm = realm.Value, HasVariables = true };
        if (!reading.Files.Source.IsGuest)
        {
            NginxVariables.CheckText(file, file.Value);
            return auth with { File = file.Value, Folder = reading.Files.ResolveConfig("") };
        }

        // Who serves somebody else's files has them as they were sent.
        string[]? lines = reading.Files.TryReadLines(file.Value);
        return auth with
        {
            IsUnreadable = lines is null,
            Users = [.. (lines ?? []).Select(PasswordEntry.KeepKnown).OfType<string>()],
        };
    }

    private static AuthRequestConfig? ReadQuestion(
        NginxScope scope, HttpReading reading, bool isAnyEnough)
    {
        ImmutableArray<SetStep> variables =
        [
            .. scope.All("auth_request_set").Select(set =>
            {
                string name = NginxVariables.NameOf(set, set.Value);
                reading.Variables.DefineSettable(set, name, isUnknownUntilSet: true);
                NginxVariables.CheckText(set, set.Arguments[1]);
                return new SetStep(name, set.Arguments[1]);
            }),
        ];
        return scope.Find("auth_request") is { } question && question.Value != "off"
            ? new AuthRequestConfig(
                question.Value.Replace("$", "$$", StringComparison.Ordinal), variables,
                isAnyEnough)
            : null;
    }
}
