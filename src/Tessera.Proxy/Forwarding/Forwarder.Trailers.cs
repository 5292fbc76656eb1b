using Tessera.Proxy.Http;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// Bodies that go on in the chunks they came in, and the fields behind them: nginx's
/// proxy_pass_trailers and $upstream_trailer_….
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// Takes what was received of a body that is relayed as it is. Returns how many bytes from
    /// <paramref name="start"/> on go to the client, whose end of the chunks may take the place of
    /// fields that it does not get.
    /// </summary>
    private static int TakePassed(Exchange exchange, byte[] buffer, int start, int length)
    {
        Span<byte> received = buffer.AsSpan(start, length);
        if (exchange.Route?.Pass is not { } pass
            || exchange.ReplyBody.Framing != BodyFraming.Chunked)
        {
            int taken = exchange.ReplyBody.Take(received);
            exchange.HasExcess = taken < length;
            return taken;
        }

        int data = exchange.ReplyBody.TakeToTrailers(received);
        if (!exchange.ReplyBody.IsInTrailers)
        {
            exchange.HasExcess = data < length;
            return data;
        }

        int trailers = exchange.ReplyBody.Take(received[data..]);
        exchange.NoteTrailers(received.Slice(data, trailers));
        exchange.HasExcess = data + trailers < length;
        if (pass.Config.PassesTrailers)
        {
            return data + trailers;
        }

        if (!exchange.ReplyBody.IsComplete)
        {
            return data;
        }

        ChunkEnd.CopyTo(buffer, start + data);
        return data + ChunkEnd.Length;
    }
}
