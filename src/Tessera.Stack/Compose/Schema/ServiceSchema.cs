using Tessera.Stack.Compose.Yaml;
using static Tessera.Stack.Compose.Schema.CommonShapes;

namespace Tessera.Stack.Compose.Schema;

/// <summary>Everything that may stand under a service.</summary>
internal static class ServiceSchema
{
    private static readonly RecordShape BlkioLimit = new(
        new Key("path", ScalarShape.String),
        new Key("rate", ScalarShape.Bytes)) { AllowsExtensions = false };

    private static readonly RecordShape BlkioConfig = new(
        new Key("weight", ScalarShape.Integer),
        new Key("weight_device", new ListShape(new RecordShape(
            new Key("path", ScalarShape.String),
            new Key("weight", ScalarShape.Integer)) { AllowsExtensions = false })),
        new Key("device_read_bps", new ListShape(BlkioLimit)),
        new Key("device_read_iops", new ListShape(BlkioLimit)),
        new Key("device_write_bps", new ListShape(BlkioLimit)),
        new Key("device_write_iops", new ListShape(BlkioLimit))) { AllowsExtensions = false };

    private static readonly MapShape DependsOn = new(new RecordShape(
        new Key("condition", ScalarShape.OneOf(
            "service_started", "service_healthy", "service_completed_successfully")),
        new Key("restart", ScalarShape.Boolean),
        new Key("required", ScalarShape.Boolean, Keep.Yes)))
    {
        AllowsName = IsName,
        FromList = ShortForms.Names(
            name => ShortForms.Record(name, ("condition", "service_started"))),
    };

    private static readonly ListShape EnvFile = new(new RecordShape(
        new Key("path", ScalarShape.String),
        new Key("required", ScalarShape.Boolean, Keep.Yes),
        new Key("format", ScalarShape.OneOf("raw")))
    {
        AllowsExtensions = false,
        Required = ["path"],
        Expand = (node, _, _) =>
            node.AsString is null ? null : ShortForms.Record(node, ("path", node)),
    })
    {
        AllowsSingle = true,
        Identity = node => TextOf(node, "path"),
    };

    private static readonly RecordShape Healthcheck = new(
        new Key("test", new ListShape(ScalarShape.String)
        {
            Split = ShortForms.HealthcheckTest,
            IsReplaced = true,
        }),
        new Key("timeout", ScalarShape.Duration),
        new Key("interval", ScalarShape.Duration),
        new Key("retries", ScalarShape.Integer, Keep.Yes),
        new Key("start_period", ScalarShape.Duration),
        new Key("start_interval", ScalarShape.Duration),
        new Key("disable", ScalarShape.Boolean));

    private static readonly RecordShape Logging = new LoggingShape(
        new Key("driver", ScalarShape.String),
        new Key("options", new MapShape(ScalarShape.TextOrNull)));

    private static readonly MapShape Networks = new(new RecordShape(
        new Key("aliases", StringSet),
        new Key("driver_opts", DriverOptions),
        new Key("gw_priority", ScalarShape.Number),
        new Key("interface_name", ScalarShape.String),
        new Key("ipv4_address", ScalarShape.String),
        new Key("ipv6_address", ScalarShape.String),
        new Key("link_local_ips", StringSet),
        new Key("mac_address", ScalarShape.String),
        new Key("priority", ScalarShape.Number)) { AllowsNull = true })
    {
        AllowsName = IsName,
        FromList = ShortForms.Names(name => ScalarNode.Null(name.Position)),
    };

    private static readonly MapShape Models = new(new RecordShape(
        new Key("endpoint_var", ScalarShape.String),
        new Key("model_var", ScalarShape.String)) { AllowsNull = true })
    {
        AllowsName = IsName,
        FromList = ShortForms.Names(name => ScalarNode.Null(name.Position)),
    };

    private static readonly ListShape Ports = new(new RecordShape(
        new Key("name", ScalarShape.String),
        new Key("mode", ScalarShape.String),
        new Key("host_ip", ScalarShape.String),
        new Key("target", ScalarShape.Integer),
        new Key("published", ScalarShape.Text),
        new Key("protocol", ScalarShape.String),
        new Key("app_protocol", ScalarShape.String)) { Required = ["target"] })
    {
        Expand = ShortForms.Ports,
        Identity = node => string.Join(
            '/',
            TextOf(node, "host_ip") is { Length: > 0 } address ? address : "0.0.0.0",
            TextOf(node, "published"),
            TextOf(node, "target"),
            TextOf(node, "protocol") is { Length: > 0 } protocol ? protocol : "tcp"),
    };

    private static readonly RecordShape Hook = new(
        new Key("command", Command),
        new Key("user", ScalarShape.String),
        new Key("privileged", ScalarShape.Boolean),
        new Key("working_dir", ScalarShape.String),
        new Key("environment", VariableMapping)) { Required = ["command"] };

    private static readonly ListShape Volumes = new(new RecordShape(
        new Key("type", ScalarShape.OneOf("bind", "volume", "tmpfs", "cluster", "npipe", "image")),
        new Key("source", ScalarShape.String),
        new Key("target", ScalarShape.String),
        new Key("read_only", ScalarShape.Boolean),
        new Key("consistency", ScalarShape.String),
        new Key("bind", new RecordShape(
            new Key("selinux", ScalarShape.OneOf("z", "Z")),
            new Key("propagation", ScalarShape.String),
            new Key("create_host_path", ScalarShape.Boolean),
            new Key("recursive", ScalarShape.OneOf(
                "enabled", "disabled", "writable", "readonly")))),
        new Key("volume", new RecordShape(
            new Key("labels", Mapping),
            new Key("nocopy", ScalarShape.Boolean),
            new Key("subpath", ScalarShape.String))),
        new Key("tmpfs", new RecordShape(
            new Key("size", ScalarShape.Bytes),
            new Key("mode", ScalarShape.Integer))),
        new Key("image", new RecordShape(new Key("subpath", ScalarShape.String))))
    {
        Required = ["type"],
        Expand = ShortForms.Volume,
    })
    {
        Identity = node => TextOf(node, "target"),
    };

    private static readonly ListShape Devices = new(new RecordShape(
        new Key("source", ScalarShape.String),
        new Key("target", ScalarShape.String),
        new Key("permissions", ScalarShape.String))
    {
        Required = ["source"],
        Expand = ShortForms.Device,
    })
    {
        Identity = node => TextOf(node, "target"),
    };

    private static readonly RecordShape Develop = new(
        new Key("watch", new ListShape(new RecordShape(
            new Key("path", ScalarShape.String),
            new Key("action", ScalarShape.OneOf(
                "rebuild", "sync", "restart", "sync+restart", "sync+exec")),
            new Key("target", ScalarShape.String),
            new Key("exec", Hook),
            new Key("include", StringOrList),
            new Key("ignore", StringOrList),
            new Key("initial_sync", ScalarShape.Boolean)) { Required = ["path", "action"] })))
    {
        AllowsNull = true,
    };

    public static RecordShape Service { get; } = new([.. KeysToExpose(), .. KeysFromExtends()]);

    private static Key[] KeysToExpose() =>
    [
        new("profiles", StringSet),
        Pending("annotations", Mapping),
        Pending("attach", ScalarShape.Boolean, Keep.Yes),
        Pending("build", BuildSchema.Build),
        Pending("develop", Develop),
        Pending("blkio_config", BlkioConfig),
        Pending("cap_add", StringSet),
        Pending("cap_drop", StringSet),
        Pending("cgroup_parent", ScalarShape.String),
        Pending("cgroup", ScalarShape.OneOf("host", "private")),
        Pending("cpu_count", ScalarShape.Integer),
        Pending("cpu_percent", ScalarShape.Number),
        Pending("cpu_period", ScalarShape.Integer),
        Pending("cpu_quota", ScalarShape.Integer),
        Pending("cpu_rt_period", ScalarShape.Integer),
        Pending("cpu_rt_runtime", ScalarShape.Integer),
        Pending("cpus", ScalarShape.Number),
        Pending("cpuset", ScalarShape.String),
        Pending("cpu_shares", ScalarShape.Integer),
        new("command", Command, Keep.ExceptInYaml),
        Pending("configs", FileReferences("")),
        Pending("container_name", ScalarShape.String),
        Pending("credential_spec", new RecordShape(
            new Key("config", ScalarShape.String),
            new Key("file", ScalarShape.String),
            new Key("registry", ScalarShape.String))),
        new("depends_on", DependsOn),
        new("deploy", DeploySchema.Deploy),
        Pending("device_cgroup_rules", StringSet),
        Pending("devices", Devices),
        Pending("dns", StringOrList),
        Pending("dns_opt", StringSet),
        Pending("dns_search", StringOrList),
        Pending("domainname", ScalarShape.String),
        new("entrypoint", Command, Keep.ExceptInYaml),
        Pending("provider", new RecordShape(
            new Key("type", ScalarShape.String),
            new Key("options", new MapShape(AnyShape.Instance))) { Required = ["type"] }),
        new("environment", VariableMapping),
        new("env_file", EnvFile),
        new("expose", new ListShape(ScalarShape.Text) { Identity = TextOf }),
    ];

    private static Key[] KeysFromExtends() =>
    [
        new("extends", new RecordShape(
            new Key("file", ScalarShape.String),
            new Key("service", ScalarShape.String))
        {
            AllowsExtensions = false,
            Required = ["service"],
            Expand = (node, _, _) =>
                node.AsString is null ? null : ShortForms.Record(node, ("service", node)),
        }),
        Pending("external_links", StringSet),
        Pending("extra_hosts", ExtraHosts),
        Pending("group_add", new ListShape(ScalarShape.Text) { Identity = TextOf }),
        Pending("gpus", DeploySchema.Gpus),
        Pending("hostname", ScalarShape.String),
        new("healthcheck", Healthcheck),
        Pending("image", ScalarShape.String),
        Pending("init", ScalarShape.Boolean, Keep.Yes),
        Pending("ipc", ScalarShape.String),
        Pending("isolation", ScalarShape.String),
        new("labels", Mapping),
        Pending("label_file", StringOrList),
        Pending("links", StringSet),
        Pending("logging", Logging),
        Pending("mem_limit", ScalarShape.Bytes),
        Pending("mem_reservation", ScalarShape.Bytes),
        Pending("memswap_limit", ScalarShape.Bytes),
        Pending("mem_swappiness", ScalarShape.Bytes),
        Pending("mac_address", ScalarShape.String),
        Pending("models", Models),
        Pending("network_mode", ScalarShape.String),
        Pending("networks", Networks),
        Pending("oom_kill_disable", ScalarShape.Boolean),
        Pending("oom_score_adj", ScalarShape.Integer),
        Pending("pid", ScalarShape.StringOrNull),
        Pending("pids_limit", ScalarShape.Integer),
        Pending("platform", ScalarShape.String),
        new("ports", Ports),
        Pending("privileged", ScalarShape.Boolean),
        Pending("pull_policy", ScalarShape.String),
        Pending("pull_refresh_after", ScalarShape.String),
        Pending("read_only", ScalarShape.Boolean),
        new("restart", ScalarShape.String),
        Pending("runtime", ScalarShape.String),
        new("scale", ScalarShape.Integer, Keep.Yes),
        Pending("secrets", FileReferences("/run/secrets")),
        Pending("security_opt", StringSet),
        Pending("shm_size", ScalarShape.Bytes),
        Pending("stdin_open", ScalarShape.Boolean),
        new("stop_grace_period", ScalarShape.Duration),
        new("stop_signal", ScalarShape.String),
        Pending("storage_opt", new MapShape(ScalarShape.TextOrNull)),
        Pending("sysctls", Mapping),
        Pending("tmpfs", StringOrList),
        Pending("tty", ScalarShape.Boolean),
        new("ulimits", Ulimits),
        Pending("use_api_socket", ScalarShape.Boolean),
        new("user", ScalarShape.String),
        Pending("userns_mode", ScalarShape.String),
        Pending("uts", ScalarShape.String),
        Pending("volumes", Volumes),
        Pending("volumes_from", StringSet),
        new("working_dir", ScalarShape.String),
        Pending("post_start", new ListShape(Hook)),
        Pending("pre_stop", new ListShape(Hook)),
        new(TesseraSchema.Name, TesseraSchema.Options),
    ];

    private static Key Pending(string name, Shape shape, Keep keep = Keep.No) =>
        new(name, shape, keep, IsPending: true);
}
