namespace Tessera.Proxy.Nginx;

/// <summary>proxy_store and proxy_store_access (ngx_http_proxy_module). Stateless.</summary>
internal static class StoreSetting
{
    /// <summary>0600, which holds while no "user" is set.</summary>
    private const int OwnerMode = 0x180;

    /// <summary>Null where answers are not kept.</summary>
    public static StoreConfig? Read(NginxScope scope, NginxFiles files)
    {
        int mode = scope.Find("proxy_store_access") is { } access ? ReadMode(access) : OwnerMode;
        TemporaryFolderConfig folder = TemporaryPath.Read(
            scope, "proxy_temp_path", "proxy_temp", files);
        if (scope.Find("proxy_store") is not { Value: not "off" } store)
        {
            return null;
        }

        if (store.Value.Length == 0)
        {
            throw store.Error("empty path");
        }

        if (store.Value != "on")
        {
            NginxVariables.CheckText(store, store.Value);
        }

        return new StoreConfig
        {
            Path = store.Value switch
            {
                "on" => null,
                ['$', ..] => store.Value,
                _ => files.Resolve(store.Value),
            },
            Mode = mode,
            Folder = folder,
        };
    }

    /// <summary>As ngx_conf_set_access_slot: "user:rw group:r all:r".</summary>
    /// <exception cref="NginxConfigException">It is no such list.</exception>
    public static int ReadMode(NginxDirective access)
    {
        int mode = 0;
        int owner = OwnerMode;
        foreach (string word in access.Arguments)
        {
            string[] pair = word.Split(':', 2);
            int shift = pair[0] switch
            {
                "user" => 6,
                "group" => 3,
                "all" => 0,
                _ => throw access.Error($"invalid value \"{word}\""),
            };
            owner = shift == 6 ? 0 : owner;
            mode |= pair.ElementAtOrDefault(1) switch
            {
                "rw" => 6 << shift,
                "r" => 4 << shift,
                _ => throw access.Error($"invalid value \"{word}\""),
            };
        }

        return mode | owner;
    }
}
