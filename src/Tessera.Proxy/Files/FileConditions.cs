using Tessera.Proxy.Http;

namespace Tessera.Proxy.Files;

/// <summary>What the conditions of a request come to.</summary>
internal enum FileCondition : byte
{
    /// <summary>The file is sent.</summary>
    Holds,

    /// <summary>304: the client has it.</summary>
    NotModified,

    /// <summary>412.</summary>
    Failed,
}

/// <summary>
/// Evaluates the conditions of GET and HEAD, in the order of RFC 9110 section 13.2.2. Stateless.
/// </summary>
internal static class FileConditions
{
    public static bool HasField(RequestHead head, HeaderKind kind)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == kind)
            {
                return true;
            }
        }

        return false;
    }

    /// <param name="etag">In quotes.</param>
    /// <param name="isWeak">The tag is sent as a weak one.</param>
    public static FileCondition Evaluate(
        RequestHead head,
        ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> etag,
        bool isWeak,
        long modifiedSeconds)
    {
        // (1) Nearly all requests have no condition: one look at the kinds tells.
        bool hasMatch = false;
        bool hasNoneMatch = false;
        bool matches = false;
        bool matchesNone = false;
        ReadOnlySpan<byte> since = default;
        ReadOnlySpan<byte> unmodifiedSince = default;
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            switch (field.Kind)
            {
                case HeaderKind.IfMatch:
                    hasMatch = true;
                    matches |= Lists(field.Value(received), etag, isWeak, isStrong: true);
                    break;
                case HeaderKind.IfNoneMatch:
                    hasNoneMatch = true;
                    matchesNone |= Lists(field.Value(received), etag, isWeak, isStrong: false);
                    break;
                case HeaderKind.IfModifiedSince:
                    since = field.Value(received);
                    break;
                case HeaderKind.IfUnmodifiedSince:
                    unmodifiedSince = field.Value(received);
                    break;
                default:
                    break;
            }
        }

        // (2) Is it still what the client knows? A tag says it better than a time.
        bool isKnown = hasMatch
            ? matches
            : !HttpDate.TryParse(unmodifiedSince, out long limit) || modifiedSeconds <= limit;
        if (!isKnown)
        {
            return FileCondition.Failed;
        }

        // (3) Does the client have it already?
        bool isHad = hasNoneMatch
            ? matchesNone
            : HttpDate.TryParse(since, out long seen) && modifiedSeconds <= seen;
        return isHad ? FileCondition.NotModified : FileCondition.Holds;
    }

    /// <summary>
    /// A range is only of use while the client's part is of the same file: the very same tag, or
    /// the very same time (RFC 9110 section 13.1.5).
    /// </summary>
    public static bool IsRangeOfThis(
        RequestHead head,
        ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> etag,
        long modifiedSeconds)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind != HeaderKind.IfRange)
            {
                continue;
            }

            ReadOnlySpan<byte> validator = field.Value(received);
            bool isSame = validator.Length > 0 && validator[0] == '"'
                ? validator.SequenceEqual(etag)
                : HttpDate.TryParse(validator, out long seconds) && seconds == modifiedSeconds;
            if (!isSame)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>"*" or a list of tags (RFC 9110 sections 13.1.1 and 13.1.2).</summary>
    private static bool Lists(
        ReadOnlySpan<byte> list, ReadOnlySpan<byte> etag, bool isWeak, bool isStrong)
    {
        if (list.SequenceEqual("*"u8))
        {
            return true;
        }

        while (true)
        {
            list = list.TrimStart(", \t"u8);
            bool isListedWeak = list.StartsWith("W/"u8);
            list = isListedWeak ? list[2..] : list;
            if (list.IsEmpty || list[0] != '"')
            {
                return false;
            }

            int close = list[1..].IndexOf((byte)'"');
            if (close < 0)
            {
                return false;
            }

            ReadOnlySpan<byte> tag = list[..(close + 2)];
            if (tag.SequenceEqual(etag) && !(isStrong && (isWeak || isListedWeak)))
            {
                return true;
            }

            list = list[tag.Length..];
        }
    }
}
