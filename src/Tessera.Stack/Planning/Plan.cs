using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Tessera.Stack.Planning;

/// <param name="Number">1 or more, in the order of the plan.</param>
/// <param name="After">
/// Numbers of the steps that must have ended well before this one begins.
/// </param>
public sealed record PlanStep(int Number, Operation Operation, ImmutableArray<int> After);

/// <summary>
/// What will be done, in which order, and why: a graph of operations. Printing it is how people and
/// tests read it; a step only ever waits for steps above it.
/// </summary>
public sealed class Plan(ImmutableArray<PlanStep> steps, ImmutableArray<string> warnings)
{
    public ImmutableArray<PlanStep> Steps { get; } = steps;

    /// <summary>What a person should know though nothing is done about it.</summary>
    public ImmutableArray<string> Warnings { get; } = warnings;

    public IEnumerable<string> Lines => Steps.Select(Line);

    public override string ToString() => string.Join('\n', Lines);

    private static string Line(PlanStep step)
    {
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"{step.Number,3}  ");
        line.Append(CultureInfo.InvariantCulture, $"{step.Operation.Verb,-8}");
        line.Append(step.Operation.Subject).Append(": ").Append(step.Operation.Cause);
        if (!step.After.IsEmpty)
        {
            line.Append(" (after ").AppendJoin(", ", step.After).Append(')');
        }

        return line.ToString();
    }
}

/// <summary>Collects the steps of a plan in order. Used by one planner at a time.</summary>
internal sealed class PlanBuilder
{
    private readonly ImmutableArray<PlanStep>.Builder _steps =
        ImmutableArray.CreateBuilder<PlanStep>();

    public List<string> Warnings { get; } = [];

    /// <summary>Appends a step and returns its number.</summary>
    public int Add(Operation operation, IEnumerable<int> after)
    {
        int number = _steps.Count + 1;
        _steps.Add(new PlanStep(number, operation, [.. after.Distinct().Order()]));
        return number;
    }

    /// <summary>Whether an instance of the service is replaced by a step so far.</summary>
    public bool Replaces(string service) =>
        _steps.Any(s => s.Operation is ReplaceInstance replace && replace.Service.Name == service);

    public Plan Build() => new(_steps.ToImmutable(), [.. Warnings]);
}
