using System.Text;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// What an endpoint's answer leaves behind that sends the exchange elsewhere: the fields that nginx
/// carries over to the answer from there.
/// </summary>
internal sealed partial class Exchange
{
    private byte[] _carriedType = [];

    /// <summary>
    /// Of <see cref="AddedFields"/>, those that an answer left behind which sent the request
    /// elsewhere.
    /// </summary>
    public int CarriedBytes { get; private set; }

    /// <summary>The media type among them; empty for none.</summary>
    public ReadOnlySpan<byte> CarriedType => _carriedType;

    /// <summary>The media type of what is served: an endpoint's word wins over a name's.</summary>
    public byte[] TypeIn(AnswerStyle style) =>
        _carriedType.Length > 0 ? _carriedType : style.TypeOf(Path);

    /// <summary>
    /// In the order in which they came, and all of a name (ngx_http_upstream_headers_in says
    /// which).
    /// </summary>
    /// <param name="isChallenge">What a 401 asks for, in place of the others.</param>
    private void CarryFields(PassRule rule, bool isChallenge)
    {
        ReadOnlySpan<byte> head = Reply.AsSpan(ReplyStart, Response.Length);
        foreach (ref readonly HeaderField field in
            Response.Headers.AsSpan(0, Response.HeaderCount))
        {
            if (isChallenge)
            {
                if (Is(field, head, "WWW-Authenticate"u8))
                {
                    Carry(field.Name(head), field.Value(head));
                }
            }
            else if (field.Kind == HeaderKind.ContentType)
            {
                _carriedType = field.Value(head).ToArray();
            }
            else if (field.Kind == HeaderKind.SetCookie && !rule.KeepsCookies)
            {
                CarryCookie(rule, field, head);
            }
            else if (field.Kind is HeaderKind.SetCookie or HeaderKind.CacheControl
                    or HeaderKind.AcceptRanges
                || Is(field, head, "Expires"u8) || Is(field, head, "Content-Disposition"u8))
            {
                Carry(field.Name(head), field.Value(head));
            }
        }
    }

    private static bool Is(
        in HeaderField field, ReadOnlySpan<byte> head, ReadOnlySpan<byte> name) =>
        Ascii.EqualsIgnoreCase(field.Name(head), name);

    private void CarryCookie(PassRule rule, in HeaderField field, ReadOnlySpan<byte> head)
    {
        byte[] rented = Buffers.Rent(Buffers.RelayBytes);
        var writer = new ByteWriter(rented);
        if (ReplyRewrite.TryCookie(ref writer, this, rule, field.Value(head))
            && !writer.HasOverflowed)
        {
            Carry(field.Name(head), writer.Written);
        }

        Buffers.Return(rented);
    }

    private void Carry(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty && TryAddField(name, value))
        {
            CarriedBytes = _addedLength;
        }
    }
}
