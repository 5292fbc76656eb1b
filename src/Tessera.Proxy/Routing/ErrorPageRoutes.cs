using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Routing;

/// <summary>What is served in the place of one status.</summary>
/// <param name="NewStatus">-1 keeps the status; 0 leaves it to the target.</param>
internal sealed record ErrorPageRoute(int Status, Template Target, int NewStatus);

/// <summary>The error pages of a location, made ready once. Immutable.</summary>
internal sealed class ErrorPageRoutes
{
    private readonly ErrorPageRoute[] _pages;

    public ErrorPageRoutes(ErrorPagesConfig config)
    {
        IsRecursive = config.IsRecursive;
        _pages =
        [
            .. config.Pages.Select(page => new ErrorPageRoute(
                page.Status, Template.Parse(page.Target), page.NewStatus)),
        ];
    }

    public bool IsRecursive { get; }

    /// <summary>The first of a status.</summary>
    public ErrorPageRoute? Find(int status) =>
        Array.Find(_pages, page => page.Status == status);
}
