namespace Tessera.Stack.Compose.Values;

/// <summary>
/// The order in which Compose's YAML prints keys: numbers within names by value (<c>web2</c> before
/// <c>web10</c>), letters after everything else.
/// </summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static NaturalOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        string left = x ?? "";
        string right = y ?? "";
        int index = 0;
        while (index < left.Length && index < right.Length && left[index] == right[index])
        {
            index++;
        }

        if (index == left.Length || index == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        bool leftIsLetter = char.IsLetter(left[index]);
        bool rightIsLetter = char.IsLetter(right[index]);
        if (leftIsLetter && rightIsLetter)
        {
            return left[index].CompareTo(right[index]);
        }

        if (leftIsLetter != rightIsLetter)
        {
            // Within a number the letter ends it, so the shorter number comes first.
            bool isInNumber = index > 0 && char.IsAsciiDigit(left[index - 1]);
            return leftIsLetter == isInNumber ? -1 : 1;
        }

        return CompareNumbers(left, right, index);
    }

    private static int CompareNumbers(string left, string right, int index)
    {
        int start = index;
        while (start > 0 && char.IsAsciiDigit(left[start - 1]))
        {
            start--;
        }

        ReadOnlySpan<char> leftNumber = NumberAt(left, start);
        ReadOnlySpan<char> rightNumber = NumberAt(right, start);
        ReadOnlySpan<char> leftDigits = leftNumber.TrimStart('0');
        ReadOnlySpan<char> rightDigits = rightNumber.TrimStart('0');
        int byValue = leftDigits.Length != rightDigits.Length
            ? leftDigits.Length.CompareTo(rightDigits.Length)
            : leftDigits.SequenceCompareTo(rightDigits);
        if (byValue != 0)
        {
            return byValue;
        }

        return leftNumber.Length != rightNumber.Length
            ? leftNumber.Length.CompareTo(rightNumber.Length)
            : left[index].CompareTo(right[index]);
    }

    private static ReadOnlySpan<char> NumberAt(string text, int start)
    {
        int end = start;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
        {
            end++;
        }

        return text.AsSpan(start, end - start);
    }
}
