using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace Tessera.Tests.Traces;

/// <summary>
/// A collector on loopback that keeps the spans it is sent. It answers with the given statuses
/// first, then 200.
/// </summary>
internal sealed class OtlpReceiver : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Queue<int> _statuses;

    public OtlpReceiver(params int[] statuses)
    {
        _statuses = new Queue<int>(statuses);
        int port = Proxy.Forwarding.ScriptedServer.UnusedAddress().Port;
        Url = $"http://127.0.0.1:{port}";
        _listener.Prefixes.Add(Url + "/");
        _listener.Start();
        _ = ServeAsync();
    }

    public string Url { get; }

    public ConcurrentQueue<Span> Spans { get; } = [];

    public ConcurrentQueue<string> Requests { get; } = [];

    public ConcurrentDictionary<string, string> Resource { get; } = [];

    public void Dispose() => _listener.Close();

    private async Task ServeAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception fault) when (fault is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            Requests.Enqueue($"{context.Request.HttpMethod} {context.Request.Url!.AbsolutePath} "
                + $"{context.Request.ContentType} {context.Request.Headers["x-key"]}");
            int status = _statuses.TryDequeue(out int given) ? given : 200;
            if (status == 200)
            {
                Read(body.ToArray());
            }

            context.Response.StatusCode = status;
            context.Response.Close();
        }
    }

    private void Read(byte[] request)
    {
        foreach (Message spans in new Message(request).All(1))
        {
            foreach (Message attribute in spans.One(1).All(1))
            {
                Resource[attribute.Text(1)] = attribute.One(2).Text(1);
            }

            foreach (Message span in spans.All(2).SelectMany(s => s.All(2)))
            {
                Spans.Enqueue(new Span(
                    Convert.ToHexStringLower(span.Bytes(1)),
                    Convert.ToHexStringLower(span.Bytes(2)),
                    Convert.ToHexStringLower(span.Bytes(4)),
                    span.Text(5),
                    span.Number(6),
                    span.Number(8) - span.Number(7),
                    span.All(9).ToDictionary(
                        a => a.Text(1),
                        a => a.One(2).Text(1) is { Length: > 0 } text
                            ? text
                            : a.One(2).Number(3).ToString(
                                System.Globalization.CultureInfo.InvariantCulture)),
                    span.One(15).Number(3)));
            }
        }
    }

    internal sealed record Span(
        string TraceId, string Id, string ParentId, string Name, ulong Kind, ulong DurationNs,
        Dictionary<string, string> Attributes, ulong Status);

    /// <summary>The fields of a message in Protocol Buffers' wire format.</summary>
    private sealed class Message
    {
        private readonly List<(int Field, ulong Number, byte[] Bytes)> _fields = [];

        public Message(byte[] bytes)
        {
            int at = 0;
            while (at < bytes.Length)
            {
                ulong tag = Varint(bytes, ref at);
                switch (tag & 7)
                {
                    case 0:
                        _fields.Add(((int)(tag >> 3), Varint(bytes, ref at), []));
                        break;
                    case 1:
                        _fields.Add(((int)(tag >> 3), BitConverter.ToUInt64(bytes, at), []));
                        at += 8;
                        break;
                    case 2:
                        int length = (int)Varint(bytes, ref at);
                        _fields.Add(((int)(tag >> 3), 0, bytes[at..(at + length)]));
                        at += length;
                        break;
                    default:
                        throw new FormatException($"wire type {tag & 7}");
                }
            }
        }

        public IEnumerable<Message> All(int field) =>
            _fields.Where(f => f.Field == field).Select(f => new Message(f.Bytes));

        public Message One(int field) => new(Bytes(field));

        public byte[] Bytes(int field) =>
            _fields.FirstOrDefault(f => f.Field == field).Bytes ?? [];

        public string Text(int field) => Encoding.UTF8.GetString(Bytes(field));

        public ulong Number(int field) => _fields.FirstOrDefault(f => f.Field == field).Number;

        private static ulong Varint(byte[] bytes, ref int at)
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte next = bytes[at++];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                {
                    return value;
                }
            }
        }
    }
}
