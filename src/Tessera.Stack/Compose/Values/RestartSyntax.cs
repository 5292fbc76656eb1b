using System.Globalization;

namespace Tessera.Stack.Compose.Values;

/// <summary>The value of <c>restart</c>: <c>no</c>, <c>always</c>, <c>unless-stopped</c>,
/// <c>on-failure[:retries]</c>.</summary>
internal static class RestartSyntax
{
    /// <returns>Null when the text is wrong; <paramref name="problem"/> then says how.</returns>
    public static RestartPolicy? Parse(string text, out string problem)
    {
        problem = "";
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string word = colon < 0 ? text : text[..colon];
        RestartCondition? condition = word switch
        {
            "" or "no" => RestartCondition.No,
            "always" => RestartCondition.Always,
            "on-failure" => RestartCondition.OnFailure,
            "unless-stopped" => RestartCondition.UnlessStopped,
            _ => null,
        };
        if (condition is null)
        {
            problem = $"unknown restart policy \"{word}\"; use one of \"no\", \"always\", " +
                "\"on-failure[:retries]\" or \"unless-stopped\"";
            return null;
        }

        if (colon < 0)
        {
            return new RestartPolicy(condition.Value);
        }

        if (condition != RestartCondition.OnFailure)
        {
            problem = "a number of retries can only be used with \"on-failure\"";
            return null;
        }

        if (!int.TryParse(
            text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int retries))
        {
            problem = $"the number of retries must be an integer, not \"{text[(colon + 1)..]}\"";
            return null;
        }

        return new RestartPolicy(RestartCondition.OnFailure, retries == 0 ? null : retries);
    }
}
