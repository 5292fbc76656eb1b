using System.Buffers.Binary;
using Tessera.Proxy;

namespace Tessera.Traces;

/// <summary>
/// Traces as an ExportTraceServiceRequest of OpenTelemetry's protocol (OTLP 1.x, trace.proto); the
/// attributes are those of its conventions for HTTP spans. Stateless.
/// </summary>
internal static class OtlpMessage
{
    private const ulong KindServer = 2;
    private const ulong KindClient = 3;
    private const ulong StatusError = 2;

    /// <param name="resource">Attributes of this program, service.name among them.</param>
    public static ReadOnlyMemory<byte> Write(
        IReadOnlyList<RequestTrace> traces, IReadOnlyDictionary<string, string> resource)
    {
        var message = new ProtobufWriter();
        message.Message(1, (traces, resource), static (spans, state) =>
        {
            spans.Message(1, state.resource, static (attributes, all) =>
            {
                foreach ((string name, string value) in all)
                {
                    Attribute(attributes, 1, name, value);
                }
            });
            spans.Message(2, state.traces, static (group, all) =>
            {
                group.Message(1, ProgramVersion.Text, static (scope, version) =>
                {
                    scope.Text(1, "tessera");
                    scope.Text(2, version);
                });
                foreach (RequestTrace trace in all)
                {
                    group.Message(2, trace, WriteServer);
                    for (int i = 0; i < trace.Tries.Length; i++)
                    {
                        group.Message(2, (trace, i), WriteTry);
                    }
                }
            });
        });
        return message.Written;
    }

    private static void WriteServer(ProtobufWriter span, RequestTrace trace)
    {
        Identify(span, trace, trace.SpanId, trace.ParentId);
        span.Text(5, trace.Route.Length > 0 ? $"{trace.Method} {trace.Route}" : trace.Method);
        span.Number(6, KindServer);
        span.Fixed(7, (ulong)trace.StartNs);
        span.Fixed(8, (ulong)trace.EndNs);
        Attribute(span, 9, "http.request.method", trace.Method);
        Attribute(span, 9, "url.scheme", trace.Scheme);
        Attribute(span, 9, "url.path", trace.Path);
        Attribute(span, 9, "url.query", trace.Query);
        Attribute(span, 9, "server.address", trace.Host);
        Attribute(span, 9, "client.address", trace.ClientAddress);
        Attribute(span, 9, "user_agent.original", trace.UserAgent);
        Attribute(span, 9, "network.protocol.version", trace.ProtocolVersion);
        Attribute(span, 9, "http.route", trace.Route);
        Attribute(span, 9, "tessera.backend", trace.Backend);
        Attribute(span, 9, "http.response.status_code", trace.Status);
        Outcome(span, trace.Status, isError: trace.Status is 0 or >= 500);
    }

    private static void WriteTry(ProtobufWriter span, (RequestTrace Trace, int Index) state)
    {
        (RequestTrace trace, int index) = state;
        TrySpan one = trace.Tries[index];

        // A try that never wrote its request made no id of its own: it gets one here.
        Identify(span, trace, one.Id != 0 ? one.Id : trace.SpanId + (ulong)index + 1, trace.SpanId);
        span.Text(5, trace.Method);
        span.Number(6, KindClient);
        span.Fixed(7, (ulong)one.StartNs);
        span.Fixed(8, (ulong)one.EndNs);
        Attribute(span, 9, "http.request.method", trace.Method);
        Attribute(span, 9, "server.address", one.Address);
        Attribute(span, 9, "server.port", one.Port);
        Attribute(span, 9, "tessera.backend", trace.Backend);
        Attribute(span, 9, "tessera.instance", one.Instance);
        Attribute(span, 9, "http.request.resend_count", index);
        if (one.HasAnswered)
        {
            Attribute(span, 9, "http.response.status_code", one.Status);
        }

        Outcome(span, one.Status, isError: !one.HasAnswered || one.Status >= 400);
    }

    private static void Identify(
        ProtobufWriter span, RequestTrace trace, ulong spanId, ulong parentId)
    {
        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(id, trace.TraceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(id[8..], trace.TraceLow);
        span.Bytes(1, id);
        BinaryPrimitives.WriteUInt64BigEndian(id, spanId);
        span.Bytes(2, id[..8]);
        if (trace.TraceState.Length > 0)
        {
            span.Text(3, trace.TraceState);
        }

        if (parentId != 0)
        {
            BinaryPrimitives.WriteUInt64BigEndian(id, parentId);
            span.Bytes(4, id[..8]);
        }
    }

    private static void Outcome(ProtobufWriter span, int status, bool isError)
    {
        if (isError)
        {
            Attribute(span, 9, "error.type", status == 0 ? "cut" : $"{status}");
            span.Message(15, StatusError, static (outcome, code) => outcome.Number(3, code));
        }
    }

    private static void Attribute(ProtobufWriter owner, int field, string name, string value)
    {
        if (value.Length > 0)
        {
            owner.Message(field, (name, value), static (pair, both) =>
            {
                pair.Text(1, both.name);
                pair.Message(2, both.value, static (any, text) => any.Text(1, text));
            });
        }
    }

    private static void Attribute(ProtobufWriter owner, int field, string name, int value) =>
        owner.Message(field, (name, value), static (pair, both) =>
        {
            pair.Text(1, both.name);
            pair.Message(2, both.value, static (any, number) => any.Number(3, (ulong)number));
        });
}
