using System.Collections.Immutable;

namespace Tessera.Proxy.Nginx;

/// <summary>proxy_pass and what belongs to it: ngx_http_proxy_module. Stateless.</summary>
internal static class ProxyModule
{
    private const NginxContext Settings = NginxContext.HttpServerLocation;

    private static readonly string[] Retried =
    [
        "error", "timeout", "invalid_header", "non_idempotent", "http_500", "http_502",
        "http_503", "http_504", "http_403", "http_404", "http_429", "updating", "off",
    ];

    private static readonly string[] Ignorable =
    [
        "X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering",
        "X-Accel-Charset", "Expires", "Cache-Control", "Set-Cookie", "Vary",
    ];

    public static DirectiveRule[] Directives { get; } =
    [
        new("proxy_pass", NginxContext.Location | NginxContext.LocationIf
            | NginxContext.LimitExcept),
        new("proxy_set_header", Settings, 2, 2) { MayRepeat = true },
        new("proxy_set_body", Settings),
        new("proxy_method", Settings),
        new("proxy_http_version", Settings) { Choices = ["1.0", "1.1"] },
        new("proxy_pass_request_headers", Settings) { Kind = ValueKind.Flag },
        new("proxy_pass_request_body", Settings) { Kind = ValueKind.Flag },
        new("proxy_pass_trailers", Settings) { Kind = ValueKind.Flag },
        new("proxy_request_buffering", Settings) { Kind = ValueKind.Flag },
        new("proxy_buffering", Settings) { Kind = ValueKind.Flag },
        new("proxy_buffer_size", Settings) { Kind = ValueKind.Size },
        new("proxy_buffers", Settings, 2, 2)
        {
            HasNoEffect = true, Check = (buffers, _) => ReadBuffers(buffers),
        },
        new("proxy_busy_buffers_size", Settings) { Kind = ValueKind.Size, HasNoEffect = true },
        new("proxy_max_temp_file_size", Settings) { Kind = ValueKind.Size },
        new("proxy_temp_file_write_size", Settings) { Kind = ValueKind.Size, HasNoEffect = true },
        new("proxy_temp_path", Settings, 1, 4)
        {
            Check = (path, _) => TemporaryPath.ReadLevels(path),
        },
        new("proxy_connect_timeout", Settings) { Kind = ValueKind.Milliseconds },
        new("proxy_read_timeout", Settings) { Kind = ValueKind.Milliseconds },
        new("proxy_header_timeout", Settings) { Kind = ValueKind.Milliseconds },
        new("proxy_send_timeout", Settings) { Kind = ValueKind.Milliseconds },
        new("proxy_send_lowat", Settings) { Kind = ValueKind.Size, HasNoEffect = true },
        new("proxy_next_upstream", Settings, 1, -1)
        {
            Kind = ValueKind.Words, Choices = Retried,
        },
        new("proxy_next_upstream_tries", Settings) { Kind = ValueKind.Number },
        new("proxy_next_upstream_timeout", Settings) { Kind = ValueKind.Milliseconds },
        new("proxy_hide_header", Settings) { MayRepeat = true },
        new("proxy_pass_header", Settings) { MayRepeat = true },
        new("proxy_ignore_headers", Settings, 1, -1)
        {
            Kind = ValueKind.Words, Choices = Ignorable,
        },
        new("proxy_redirect", Settings, 1, 2)
        {
            MayRepeat = true, Check = CheckRedirect,
        },
        new("proxy_cookie_domain", Settings, 1, 2)
        {
            MayRepeat = true, Check = CheckReplacement,
        },
        new("proxy_cookie_path", Settings, 1, 2)
        {
            MayRepeat = true, Check = CheckReplacement,
        },
        new("proxy_cookie_flags", Settings, 1, 4) { MayRepeat = true },
        new("proxy_intercept_errors", Settings) { Kind = ValueKind.Flag },
        new("proxy_ignore_client_abort", Settings) { Kind = ValueKind.Flag },
        new("proxy_bind", Settings, 1, 2) { Check = CheckBind },
        new("proxy_socket_keepalive", Settings) { Kind = ValueKind.Flag },
        new("proxy_limit_rate", Settings) { Check = LimitModule.CheckSize },
        new("early_hints", Settings, 1, -1),
        new("proxy_store", Settings),
        new("proxy_store_access", Settings, 1, 3)
        {
            Check = (access, _) => StoreSetting.ReadMode(access),
        },
        new("proxy_force_ranges", Settings) { Kind = ValueKind.Flag, HasNoEffect = true },
        new("proxy_headers_hash_max_size", Settings)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("proxy_headers_hash_bucket_size", Settings)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
    ];

    private static readonly string[] BufferSettings =
    [
        "proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size",
        "proxy_max_temp_file_size", "proxy_temp_file_write_size",
    ];

    /// <summary>
    /// The variables of texts that stand where nothing is passed on, and are parsed by nobody else.
    /// </summary>
    /// <exception cref="Variables.UnknownVariableException">There is no such variable.</exception>
    public static void CheckVariables(ImmutableArray<NginxDirective> directives)
    {
        foreach (NginxDirective directive in directives)
        {
            if (directive.Name is "proxy_set_header" or "proxy_set_body" or "proxy_method")
            {
                Variables.Template.Parse(directive.Arguments[^1]);
            }
            else if (directive.Name is "server" or "location" or "limit_except" or "if")
            {
                CheckVariables(directive.Block ?? []);
            }
        }
    }

    /// <summary>nginx knows the address only of what stands before.</summary>
    private static void CheckOrder(NginxScope scope)
    {
        foreach (NginxDirective redirect in scope.AllHere("proxy_redirect"))
        {
            if (redirect.Value == "off" && scope.AllHere("proxy_redirect").Skip(1).Any())
            {
                throw scope.AllHere("proxy_redirect").ElementAt(1).Error(
                    "\"proxy_redirect\" directive is duplicate");
            }

            if (redirect.Value == "default" && redirect.Arguments.Length == 1
                && !scope.Directives.TakeWhile(d => d != redirect).Any(d => d.Name == "proxy_pass"))
            {
                throw redirect.Error(
                    "\"proxy_redirect default\" should be placed after the \"proxy_pass\" "
                    + "directive");
            }
        }
    }

    /// <summary>Null where requests are not passed on.</summary>
    public static RouteConfig? TryRead(
        NginxScope scope, RouteConfig route, HttpReading reading)
    {
        CheckBuffers(scope, reading.End);
        CheckOrder(scope);
        return scope.FindInLocation("proxy_pass") is not { } pass
            ? null
            : Apply(scope, route, PassAddress.Read(pass, scope, route.Path), reading);
    }

    private static RouteConfig Apply(
        NginxScope scope, RouteConfig route, PassAddress address, HttpReading reading)
    {
        int readTimeoutMs = scope.Milliseconds("proxy_read_timeout", 60_000);
        return route with
        {
            Backend = address.HasVariables ? null : reading.Upstreams.BackendOf(address),
            Pass = ReadPass(scope, address, reading.Variables) with
            {
                Store = StoreSetting.Read(scope, reading.Files),
                BuffersReply = scope.Flag("proxy_buffering", true),
                MaxTemporaryBytes = scope.Size(
                    "proxy_max_temp_file_size", 1_024L * 1_024 * 1_024),
                TemporaryFolder = TemporaryPath.Read(
                    scope, "proxy_temp_path", "proxy_temp", reading.Files),
            },
            Limits = new BackendLimits
            {
                ConnectTimeoutMs = scope.Milliseconds("proxy_connect_timeout", 60_000),
                ReadTimeoutMs = readTimeoutMs,
                HeadTimeoutMs = scope.Milliseconds("proxy_header_timeout", 0),
                SendTimeoutMs = scope.Milliseconds("proxy_send_timeout", 60_000),
                TunnelIdleTimeoutMs = readTimeoutMs,
                HoldQueueLength = 0,
            },
            Retry = ReadRetry(scope),
        };
    }

    private static ProxyPassConfig ReadPass(
        NginxScope scope, PassAddress address, NginxVariables variables) => new()
    {
        Host = address.Host,
        Port = address.Port,
        Url = address.HasVariables ? address.Text : null,
        Uri = address.HasVariables ? null : address.Uri,
        Matched = address.Location,
        UsesHttp11 = scope.Text("proxy_http_version", "1.0") == "1.1",
        Fields =
        [
            .. scope.All("proxy_set_header").Select(field =>
                new FieldConfig(field.Value, field.Arguments[1])),
        ],
        PassesFields = scope.Flag("proxy_pass_request_headers", true),
        PassesBody = scope.Flag("proxy_pass_request_body", true),
        Method = scope.Find("proxy_method")?.Value,
        Body = scope.Find("proxy_set_body")?.Value,
        BuffersRequest = scope.Flag("proxy_request_buffering", true),
        MaxHeadBytes = (int)Math.Min(
            scope.Size("proxy_buffer_size", 4_096), int.MaxValue),
        HiddenFields = [.. scope.All("proxy_hide_header").Select(field => field.Value)],
        ShownFields = [.. scope.All("proxy_pass_header").Select(field => field.Value)],
        IgnoredFields = ReadIgnored(scope),
        Redirects = ReadRedirects(scope, address, variables),
        CookieDomains = ReadReplacements(scope, "proxy_cookie_domain", variables),
        CookiePaths = ReadReplacements(scope, "proxy_cookie_path", variables),
        CookieFlags = ReadCookieFlags(scope, variables),
        InterceptsErrors = scope.Flag("proxy_intercept_errors", false),
        OutlastsClient = scope.Flag("proxy_ignore_client_abort", false),
        LocalAddress = ReadBind(scope, out bool isTransparent),
        IsTransparent = isTransparent,
        ProbesIdleSockets = scope.Flag("proxy_socket_keepalive", false),
        BytesPerSecond = scope.Find("proxy_limit_rate")?.Value,
        PassesTrailers = scope.Flag("proxy_pass_trailers", false),
        EarlyHints = ReadHints(scope),
        Resolver = ResolverSetting.Read(scope),
    };

    private static ImmutableArray<string> ReadHints(NginxScope scope)
    {
        if (scope.Find("early_hints") is not { } hints)
        {
            return [];
        }

        foreach (string text in hints.Arguments)
        {
            NginxVariables.CheckText(hints, text);
        }

        return hints.Arguments;
    }

    private static RetryConfig ReadRetry(NginxScope scope)
    {
        NginxDirective? next = scope.Find("proxy_next_upstream");
        RetryConditions conditions = next is null
            ? RetryConditions.Error | RetryConditions.Timeout
            : next.Arguments.Aggregate(
                RetryConditions.None, (sum, word) => sum | ReadCondition(word));
        return new RetryConfig
        {
            On = next is not null && next.Arguments.Contains("off")
                ? RetryConditions.None
                : conditions,
            Tries = scope.Number("proxy_next_upstream_tries", 0),
            TimeoutMs = scope.Milliseconds("proxy_next_upstream_timeout", 0),
            BudgetPercent = 1_000_000,
            MaxReplays = 1_024,
            BufferBytes = scope.Flag("proxy_request_buffering", true) ? int.MaxValue : 0,
            ReplayBytes = 0,
        };
    }

    private static RetryConditions ReadCondition(string word) =>
        word.ToLowerInvariant() switch
    {
        "error" => RetryConditions.Error,
        "timeout" => RetryConditions.Timeout,
        "invalid_header" => RetryConditions.InvalidHeader,
        "non_idempotent" => RetryConditions.NonIdempotent,
        "http_500" => RetryConditions.Http500,
        "http_502" => RetryConditions.Http502,
        "http_503" => RetryConditions.Http503,
        "http_504" => RetryConditions.Http504,
        "http_403" => RetryConditions.Http403,
        "http_404" => RetryConditions.Http404,
        "http_429" => RetryConditions.Http429,
        _ => RetryConditions.None,
    };

    private static ImmutableArray<string> ReadIgnored(NginxScope scope) =>
        scope.Find("proxy_ignore_headers")?.Arguments ?? [];

    private static void CheckRedirect(NginxDirective redirect, DirectiveCheck check)
    {
        if (redirect.Arguments is [not ("off" or "false" or "default")])
        {
            throw redirect.Error($"invalid parameter \"{redirect.Value}\"");
        }

        CheckReplacement(redirect, check);
    }

    /// <summary>"off", or a text or an expression and what it becomes.</summary>
    private static void CheckReplacement(NginxDirective directive, DirectiveCheck check)
    {
        if (directive.Arguments is not [var pattern, _])
        {
            if (directive.Value is not ("off" or "false" or "default"))
            {
                throw directive.Error($"invalid parameter \"{directive.Value}\"");
            }
        }
        else if (pattern.StartsWith('~'))
        {
            NginxVariables.CheckPattern(directive, pattern.TrimStart('~').TrimStart('*'));
        }
    }

    private static void CheckBind(NginxDirective bind, DirectiveCheck check)
    {
        if (bind.Arguments is [_, var option and not "transparent"])
        {
            throw bind.Error($"invalid parameter \"{option}\"");
        }

        if (bind.Value != "off" && !bind.Value.Contains('$')
            && !System.Net.IPEndPoint.TryParse(bind.Value, out _))
        {
            throw bind.Error($"invalid address \"{bind.Value}\"");
        }
    }

    private static ImmutableArray<TextReplacement> ReadRedirects(
        NginxScope scope, PassAddress address, NginxVariables variables)
    {
        NginxDirective[] directives = [.. scope.All("proxy_redirect")];
        if (directives.Length == 0)
        {
            return address.HasVariables ? [] : [address.DefaultRedirect];
        }

        var redirects = ImmutableArray.CreateBuilder<TextReplacement>();
        foreach (NginxDirective directive in directives)
        {
            switch (directive.Arguments)
            {
                case ["off"]:
                    return [];
                case ["false"]:
                    return [];
                case ["default"] when address.HasVariables:
                    throw directive.Error(
                        "\"proxy_redirect default\" cannot be used "
                        + "with \"proxy_pass\" directive with variables");
                case ["default"]:
                    redirects.Add(address.DefaultRedirect);
                    break;
                case [var pattern, var replacement]:
                    CheckExpression(directive, variables);
                    redirects.Add(new TextReplacement(pattern, replacement));
                    break;
                default:
                    throw directive.Error($"invalid parameter \"{directive.Value}\"");
            }
        }

        return redirects.ToImmutable();
    }

    /// <summary>Behind "~" or "~*".</summary>
    private static void CheckExpression(NginxDirective directive, NginxVariables variables)
    {
        if (directive.Value.StartsWith('~'))
        {
            int marks = directive.Value.StartsWith("~*", StringComparison.Ordinal) ? 2 : 1;
            variables.CheckExpression(directive, directive.Value[marks..]);
        }
    }

    /// <summary>Of a domain's expression the letter case means nothing.</summary>
    private static ImmutableArray<TextReplacement> ReadReplacements(
        NginxScope scope, string name, NginxVariables variables)
    {
        var replacements = ImmutableArray.CreateBuilder<TextReplacement>();
        foreach (NginxDirective directive in scope.All(name))
        {
            if (directive.Arguments is not [var pattern, var replacement])
            {
                return directive.Value == "off"
                    ? []
                    : throw directive.Error($"invalid parameter \"{directive.Value}\"");
            }

            CheckExpression(directive, variables);
            bool isDomain = name == "proxy_cookie_domain"
                && pattern.StartsWith('~') && !pattern.StartsWith("~*", StringComparison.Ordinal);
            replacements.Add(new TextReplacement(
                isDomain ? "~*" + pattern[1..] : pattern, replacement));
        }

        return replacements.ToImmutable();
    }

    private static ImmutableArray<CookieFlags> ReadCookieFlags(
        NginxScope scope, NginxVariables variables)
    {
        var flags = ImmutableArray.CreateBuilder<CookieFlags>();
        foreach (NginxDirective directive in scope.All("proxy_cookie_flags"))
        {
            if (directive.Arguments is ["off"])
            {
                return [];
            }

            if (directive.Value.StartsWith('~'))
            {
                variables.CheckExpression(directive, directive.Value[1..]);
            }

            flags.Add(new CookieFlags(directive.Value, directive.Arguments[1..]));
        }

        return flags.ToImmutable();
    }

    private static string? ReadBind(NginxScope scope, out bool isTransparent)
    {
        isTransparent = false;
        if (scope.Find("proxy_bind") is not { } bind || bind.Value == "off")
        {
            return null;
        }

        isTransparent = bind.Arguments.Length > 1;
        return bind.Value;
    }

    /// <summary>The sizes must fit each other, as ngx_http_proxy_merge_loc_conf wants it.</summary>
    /// <param name="end">Where the error is: the end of the http block.</param>
    private static void CheckBuffers(NginxScope scope, NginxDirective end)
    {
        // Each block below inherits them from the http block, and may set them right.
        if (scope.Context == NginxContext.Http
            || !Array.Exists(BufferSettings, name => scope.Find(name) is not null))
        {
            return;
        }

        long head = scope.Size("proxy_buffer_size", 4_096);
        int count = 8;
        long size = 4_096;
        if (scope.Find("proxy_buffers") is { } buffers)
        {
            (count, size) = ReadBuffers(buffers);
        }

        if (count < 2)
        {
            throw end.Error("there must be at least 2 \"proxy_buffers\"");
        }

        long largest = Math.Max(head, size);
        long busy = scope.Size("proxy_busy_buffers_size", 2 * largest);
        if (busy < largest)
        {
            throw end.Error(
                "\"proxy_busy_buffers_size\" must be equal to or greater than the maximum of "
                + "the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\"");
        }

        if (busy > (count - 1) * size)
        {
            throw end.Error(
                "\"proxy_busy_buffers_size\" must be less than "
                + "the size of all \"proxy_buffers\" minus one buffer");
        }

        if (scope.Size("proxy_temp_file_write_size", largest) < largest)
        {
            throw end.Error(
                "\"proxy_temp_file_write_size\" must be equal to or greater than the maximum of "
                + "the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\"");
        }

        if (scope.Size("proxy_max_temp_file_size", 0) is > 0 and var max && max < largest)
        {
            throw end.Error(
                "\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files "
                + "usage or must be equal to or greater than the maximum of "
                + "the value of \"proxy_buffer_size\" and one of the \"proxy_buffers\"");
        }
    }

    private static (int Count, long Size) ReadBuffers(NginxDirective buffers)
    {
        if (!int.TryParse(buffers.Value, out int count) || count <= 0
            || !NginxValue.TrySize(buffers.Arguments[1], out long size) || size == 0)
        {
            throw buffers.Error($"\"{buffers.Name}\" directive invalid value");
        }

        return (count, size);
    }
}
