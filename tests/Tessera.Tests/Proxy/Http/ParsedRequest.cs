using System.Text;
using Tessera.Proxy.Http;

namespace Tessera.Tests.Proxy.Http;

/// <summary>
/// Runs a request parser over bytes that arrive in pieces and writes down all it says, so that two
/// ways of arriving can be compared as text.
/// </summary>
internal static class ParsedRequest
{
    public const int MaxHeadBytes = 4_096;

    public static string Whole(byte[] bytes, int maxHeadBytes = MaxHeadBytes) =>
        InPieces(bytes, [bytes.Length], maxHeadBytes);

    public static string ByteByByte(byte[] bytes, int maxHeadBytes = MaxHeadBytes) =>
        InPieces(bytes, Enumerable.Range(1, bytes.Length), maxHeadBytes);

    /// <summary>
    /// Parses ever longer prefixes until the parser is done. Each prefix lies in an array of its
    /// own size, so that a read behind its end throws.
    /// </summary>
    public static string InPieces(byte[] bytes, IEnumerable<int> lengths, int maxHeadBytes)
    {
        var head = new RequestHead(16);
        ParseStatus status = ParseStatus.Incomplete;
        foreach (int length in lengths)
        {
            status = head.Parse(bytes.AsSpan(0, length).ToArray(), maxHeadBytes);
            if (status != ParseStatus.Incomplete)
            {
                break;
            }
        }

        return Describe(head, status, bytes);
    }

    public static string Describe(RequestHead head, ParseStatus status, byte[] bytes)
    {
        if (status != ParseStatus.Complete)
        {
            return $"{status} {head.ErrorStatus} {head.ErrorReason}";
        }

        var text = new StringBuilder();
        text.Append(
            $"""
            {head.Method} [{Cut(bytes, head.MethodStart, head.MethodLength)}] 1.{head.MinorVersion}
            target [{Cut(bytes, head.TargetStart, head.TargetLength)}] {head.IsAbsoluteForm}
            origin [{Cut(bytes, head.OriginFormStart, head.OriginFormLength)}]
            path [{Cut(bytes, head.PathStart, head.PathLength)}]
            host [{Cut(bytes, head.HostStart, head.HostLength)}]
            body {head.Body} {head.ContentLength} {head.IsChunked}
            keep-alive {head.KeepAlive} expects {head.ExpectsContinue} upgrade {head.IsUpgrade}
            from {head.Start} to {head.Length}
            """);
        for (int i = 0; i < head.HeaderCount; i++)
        {
            HeaderField field = head.Headers[i];
            string name = Bytes.Text(field.Name(bytes));
            string value = Bytes.Text(field.Value(bytes));
            text.Append($"\n{field.Kind} [{name}] [{value}] hop {head.IsHopByHop(i)}");
            text.Append($" line {field.Start} to {field.End}");
        }

        return text.ToString();
    }

    private static string Cut(byte[] bytes, int start, int length) =>
        Bytes.Text(bytes.AsSpan(start, length));
}
