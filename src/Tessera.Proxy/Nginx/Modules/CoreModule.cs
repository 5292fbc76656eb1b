using Tessera.Linux.Processes;

namespace Tessera.Proxy.Nginx;

/// <summary>What concerns the process as a whole: main and events. Stateless.</summary>
internal static class CoreModule
{
    /// <summary>
    /// Of any head. nginx counts the bytes of a backend's only, of which so many fields are more
    /// than a head of the usual size can hold.
    /// </summary>
    private const int MaxFields = 16_384;

    public static DirectiveRule[] Directives { get; } =
    [
        new("daemon", NginxContext.Main) { Kind = ValueKind.Flag },
        new("master_process", NginxContext.Main) { Kind = ValueKind.Flag, HasNoEffect = true },
        new("pid", NginxContext.Main),
        new("user", NginxContext.Main, 1, 2),
        new("load_module", NginxContext.Main) { MayRepeat = true, Check = CheckModule },
        new("env", NginxContext.Main) { MayRepeat = true, HasNoEffect = true },
        new("lock_file", NginxContext.Main) { HasNoEffect = true },
        new("pcre_jit", NginxContext.Main) { Kind = ValueKind.Flag, HasNoEffect = true },
        new("ssl_engine", NginxContext.Main) { HasNoEffect = true },
        new("thread_pool", NginxContext.Main, 2, 3)
        {
            MayRepeat = true, HasNoEffect = true, Check = CheckPool,
        },
        new("timer_resolution", NginxContext.Main)
        {
            Kind = ValueKind.Milliseconds, HasNoEffect = true,
        },
        new("debug_points", NginxContext.Main)
        {
            Choices = ["stop", "abort"], HasNoEffect = true,
        },
        new("working_directory", NginxContext.Main) { HasNoEffect = true },
        new("worker_processes", NginxContext.Main),
        new("worker_cpu_affinity", NginxContext.Main, 1, -1)
        {
            HasNoEffect = true, Check = CheckAffinity,
        },
        new("worker_priority", NginxContext.Main) { HasNoEffect = true, Check = CheckPriority },
        new("worker_rlimit_core", NginxContext.Main) { Kind = ValueKind.Size, HasNoEffect = true },
        new("worker_rlimit_nofile", NginxContext.Main)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("worker_shutdown_timeout", NginxContext.Main) { Kind = ValueKind.Milliseconds },
        new("events", NginxContext.Main, 0, 0) { Block = NginxContext.Events },
        new("worker_connections", NginxContext.Events),
        new("worker_aio_requests", NginxContext.Events)
        {
            Kind = ValueKind.Number, HasNoEffect = true,
        },
        new("use", NginxContext.Events) { HasNoEffect = true, Check = CheckMethod },
        new("multi_accept", NginxContext.Events) { Kind = ValueKind.Flag, HasNoEffect = true },
        new("accept_mutex", NginxContext.Events) { Kind = ValueKind.Flag, HasNoEffect = true },
        new("accept_mutex_delay", NginxContext.Events)
        {
            Kind = ValueKind.Milliseconds, HasNoEffect = true,
        },
        new("debug_connection", NginxContext.Events)
        {
            MayRepeat = true, HasNoEffect = true, Check = CheckDebugged,
        },
    ];

    public static ProxyOptions ReadOptions(NginxScope main)
    {
        NginxScope events = main.Within(main.FindHere("events")!, NginxContext.Events);
        int reactors = Math.Clamp(ReadWorkers(main), 1, 256);
        int connections = 512;
        if (events.FindHere("worker_connections") is { } limit
            && !int.TryParse(limit.Value, out connections))
        {
            throw limit.Error($"invalid number \"{limit.Value}\"");
        }

        return new ProxyOptions
        {
            MaxHeaderCount = MaxFields,
            MinBodyBytesPerSecond = 0,
            MinSendBytesPerSecond = 0,
            Reactors = reactors,
            MaxConnections = (int)Math.Min((long)reactors * connections, int.MaxValue),
        };
    }

    public static NginxProcess ReadProcess(NginxScope main, NginxFiles files)
    {
        return new NginxProcess
        {
            PidFile = files.Resolve(main.Text("pid", files.Source.PidFile)),
            IsDaemon = main.Flag("daemon", true),
            ShutdownTimeoutMs = main.Milliseconds("worker_shutdown_timeout", 0),
        };
    }

    /// <summary>Tells of what is accepted and has no effect here.</summary>
    public static void Warn(NginxScope main, Action<string> warn)
    {
        if (main.FindHere("user") is { } user && !Environment.IsPrivilegedProcess)
        {
            warn("the \"user\" directive makes sense only if the master process runs with "
                + $"super-user privileges, ignored in {user.Position}");
        }
    }

    /// <summary>
    /// Those of nginx's workers. Null leaves the process's own: where nothing is said, for the
    /// super-user, and for whoever cannot become another user.
    /// </summary>
    /// <exception cref="NginxConfigException">There is no such user, or no such group.</exception>
    public static FileRights? ReadRights(NginxScope main)
    {
        if (main.FindHere("user") is not { } user || !Environment.IsPrivilegedProcess)
        {
            return null;
        }

        UserAccount account = Accounts.FindUser(user.Value)
            ?? throw user.Error($"getpwnam(\"{user.Value}\") failed");
        string group = user.Arguments[^1];
        uint groupId = Accounts.FindGroup(group)
            ?? throw user.Error($"getgrnam(\"{group}\") failed");
        return account.UserId == 0 ? null : FileRights.Of(account, groupId);
    }

    private static int ReadWorkers(NginxScope main)
    {
        if (main.FindHere("worker_processes") is not { } workers)
        {
            return 1;
        }

        if (workers.Value == "auto")
        {
            return Environment.ProcessorCount;
        }

        return int.TryParse(workers.Value, out int number) && number >= 0
            ? number
            : throw workers.Error("\"worker_processes\" directive invalid value");
    }

    /// <summary>What nginx has on Linux, as it is usually built.</summary>
    private static void CheckMethod(NginxDirective method, DirectiveCheck check)
    {
        if (method.Value is not ("epoll" or "io_uring"))
        {
            throw method.Error($"invalid event type \"{method.Value}\"");
        }
    }

    private static void CheckPriority(NginxDirective priority, DirectiveCheck check)
    {
        if (!int.TryParse(priority.Value, out _))
        {
            throw priority.Error("\"worker_priority\" directive invalid number");
        }
    }

    /// <summary>Masks of processors, one for each worker.</summary>
    private static void CheckAffinity(NginxDirective affinity, DirectiveCheck check)
    {
        IEnumerable<string> masks = affinity.Arguments;
        foreach (char letter in masks.Skip(affinity.Value == "auto" ? 1 : 0)
            .SelectMany(mask => mask))
        {
            if (letter is not ('0' or '1' or ' '))
            {
                throw affinity.Error($"invalid character \"{letter}\" in \"{affinity.Name}\"");
            }
        }
    }

    private static void CheckPool(NginxDirective pool, DirectiveCheck check)
    {
        foreach (string parameter in pool.Arguments.Skip(1))
        {
            bool isRight = parameter.Split('=', 2) switch
            {
                ["threads", var text] => int.TryParse(text, out int threads) && threads > 0,
                ["max_queue", var text] => int.TryParse(text, out int queue) && queue >= 0,
                _ => throw pool.Error($"invalid parameter \"{parameter}\""),
            };
            if (!isRight)
            {
                throw pool.Error($"invalid {parameter.Split('=')[0]} value \"{parameter}\"");
            }
        }
    }

    private static void CheckDebugged(NginxDirective client, DirectiveCheck check)
    {
        if (client.Value != "unix:" && !NetworkText.IsNetwork(client.Value))
        {
            throw client.Error($"host not found in debug_connection \"{client.Value}\"");
        }
    }

    /// <summary>What is a file of its own with nginx is built in here, or not there.</summary>
    private static void CheckModule(NginxDirective module, DirectiveCheck check)
    {
        string name = Path.GetFileNameWithoutExtension(module.Value);
        if (!NginxModules.Has(name))
        {
            check.TellUnsupported(module, $"module \"{name}\"");
        }
    }
}
