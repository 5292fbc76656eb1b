using Tessera.Proxy.Http;

namespace Tessera.Proxy.Files;

/// <summary>
/// The conditions of a request as nginx weighs them (ngx_http_not_modified_filter): a time and a
/// tag must both say that nothing has changed. Stateless.
/// </summary>
internal static class DocumentConditions
{
    /// <param name="etag">With quotes; empty for an answer without.</param>
    /// <param name="modifiedSeconds">-1 for an answer that says no time.</param>
    public static FileCondition Evaluate(
        RequestHead head,
        ReadOnlySpan<byte> received,
        ReadOnlySpan<byte> etag,
        long modifiedSeconds,
        ModifiedSinceRule rule)
    {
        bool hasSince = TryFind(head, received, HeaderKind.IfModifiedSince, out var since);
        bool hasNoneMatch = TryFind(head, received, HeaderKind.IfNoneMatch, out var noneMatch);
        if (TryFind(head, received, HeaderKind.IfUnmodifiedSince, out var unmodifiedSince)
            && (modifiedSeconds < 0 || !HttpDate.TryParse(unmodifiedSince, out long limit)
                || limit < modifiedSeconds))
        {
            return FileCondition.Failed;
        }

        if (TryFind(head, received, HeaderKind.IfMatch, out var match)
            && !Lists(match, etag, isWeak: false))
        {
            return FileCondition.Failed;
        }

        bool isChanged = (hasSince && IsNewer(since, modifiedSeconds, rule))
            || (hasNoneMatch && !Lists(noneMatch, etag, isWeak: true));
        return (hasSince || hasNoneMatch) && !isChanged
            ? FileCondition.NotModified
            : FileCondition.Holds;
    }

    private static bool IsNewer(ReadOnlySpan<byte> since, long seconds, ModifiedSinceRule rule)
    {
        if (seconds < 0 || rule == ModifiedSinceRule.Off
            || !HttpDate.TryParse(since, out long seen))
        {
            return true;
        }

        return seen != seconds && (rule == ModifiedSinceRule.Exact || seen < seconds);
    }

    internal static bool TryFind(
        RequestHead head, ReadOnlySpan<byte> received, HeaderKind kind,
        out ReadOnlySpan<byte> value)
    {
        foreach (ref readonly HeaderField field in head.Headers.AsSpan(0, head.HeaderCount))
        {
            if (field.Kind == kind)
            {
                value = field.Value(received);
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>"*" or a list of tags (RFC 9110 section 8.8.3).</summary>
    private static bool Lists(ReadOnlySpan<byte> list, ReadOnlySpan<byte> etag, bool isWeak)
    {
        if (list.SequenceEqual("*"u8))
        {
            return true;
        }

        if (etag.IsEmpty)
        {
            return false;
        }

        ReadOnlySpan<byte> wanted = isWeak && etag.StartsWith("W/"u8) ? etag[2..] : etag;
        foreach (Range range in list.Split((byte)','))
        {
            ReadOnlySpan<byte> tag = list[range].Trim(" \t"u8);
            tag = isWeak && tag.StartsWith("W/"u8) ? tag[2..] : tag;
            if (tag.SequenceEqual(wanted))
            {
                return true;
            }
        }

        return false;
    }
}
