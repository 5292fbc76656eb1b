using Tessera.Stack.Compose.Yaml;

namespace Tessera.Stack.Compose.Schema;

/// <summary>
/// What is wrong with the files, and what a person should know, in the order it was found. Used by
/// one thread.
/// </summary>
internal sealed class Problems
{
    /// <summary>More than these help nobody.</summary>
    private const int MaxErrors = 20;

    private readonly List<string> _errors = [];
    private readonly List<string> _warnings = [];
    private readonly HashSet<string> _isWarned = new(StringComparer.Ordinal);
    private int _omitted;

    /// <summary>As of <see cref="LoadRequest"/>.</summary>
    public Func<string, string?>? ProblemOfTemplate { get; init; }

    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>No further error is shown, so no effort need go into its wording.</summary>
    public bool IsFull => _errors.Count >= MaxErrors;

    /// <param name="text">A sentence without its full stop.</param>
    public void Add(SourcePosition position, string text)
    {
        string sentence = text.EndsWith('?') ? text : $"{text}.";
        string message = position == SourcePosition.None ? sentence : $"{position}: {sentence}";
        if (_errors.Contains(message))
        {
            return;
        }

        if (_errors.Count < MaxErrors)
        {
            _errors.Add(message);
        }
        else
        {
            _omitted++;
        }
    }

    /// <param name="sentence">Whole, with its full stop.</param>
    public void Warn(string sentence)
    {
        if (_isWarned.Add(sentence))
        {
            _warnings.Add(sentence);
        }
    }

    /// <exception cref="UserErrorException">Something is wrong; names everything, line by
    /// line.</exception>
    public void ThrowIfAny()
    {
        if (_errors.Count == 0)
        {
            return;
        }

        IEnumerable<string> lines = _omitted > 0
            ? _errors.Append($"({_omitted} more errors are not shown.)")
            : _errors;
        throw new UserErrorException(string.Join('\n', lines));
    }
}
