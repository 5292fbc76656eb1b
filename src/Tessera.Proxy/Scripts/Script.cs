using System.Collections.Immutable;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Scripts;

/// <summary>
/// The directives of nginx's rewrite module in one server or location, made ready once. Immutable.
/// </summary>
internal sealed class Script
{
    private readonly Step[] _steps;

    private Script(Step[] steps) => _steps = steps;

    /// <summary>Null for no steps.</summary>
    /// <param name="createRoute">Makes the location of an if ready.</param>
    /// <exception cref="FormatException">A text names no variable.</exception>
    /// <exception cref="ArgumentException">An expression is none.</exception>
    public static Script? Of(
        ImmutableArray<ScriptStep> steps, Func<RouteConfig, Route> createRoute) => steps.IsEmpty
        ? null
        : new Script([.. steps.Select(step => Step.Of(step, createRoute))]);

    /// <summary>
    /// Runs on the exchange: its path, query, variables and location may be others afterwards.
    /// </summary>
    /// <param name="needsLocation">
    /// The path was rewritten, and asks for a location of its own.
    /// </param>
    public ScriptEnd Run(Exchange exchange, out bool needsLocation)
    {
        var course = new ScriptCourse { EscapesGroups = true };
        ScriptEnd end = Continue(exchange, ref course);
        needsLocation = course.NeedsLocation;
        return end;
    }

    internal ScriptEnd Continue(Exchange exchange, ref ScriptCourse course)
    {
        foreach (Step step in _steps)
        {
            ScriptEnd end = step.Run(exchange, ref course);
            if (end.Verdict != ScriptVerdict.Done)
            {
                return end;
            }
        }

        return ScriptEnd.Done;
    }
}
