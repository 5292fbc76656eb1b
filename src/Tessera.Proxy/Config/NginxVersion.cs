namespace Tessera.Proxy;

/// <summary>The nginx that its files are served like.</summary>
public static class NginxVersion
{
    public const string Number = "1.28.0";

    /// <summary>As in the field Server.</summary>
    public const string Product = $"nginx/{Number}";
}
