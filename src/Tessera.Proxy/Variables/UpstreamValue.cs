using Tessera.Proxy.Forwarding;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Variables;

/// <summary>
/// What variables say of the tries of a request: one value for each, separated by a comma and a
/// space; "-" where a try did not get so far. Stateless.
/// </summary>
internal static class UpstreamValue
{
    /// <summary>More tries than this are not listed.</summary>
    public const int MaxTries = 16;

    public static void Write(Variable variable, ref ByteWriter writer, Exchange exchange)
    {
        if (variable == Variable.UpstreamQueueTime)
        {
            WriteHeld(ref writer, exchange);
            return;
        }

        ReadOnlySpan<Try> tries = exchange.Tries;
        tries = tries[..Math.Min(tries.Length, MaxTries)];
        for (int i = 0; i < tries.Length; i++)
        {
            writer.Write(i == 0 ? default : tries[i].IsElsewhere ? " : "u8 : ", "u8);
            Write(variable, ref writer, exchange, in tries[i]);
        }
    }

    private static void Write(
        Variable variable, ref ByteWriter writer, Exchange exchange, in Try one)
    {
        switch (variable)
        {
            case Variable.UpstreamAddr:
                writer.Write(one.AddressText);
                break;
            case Variable.UpstreamStatus when one.Status != 0:
                writer.WriteNumber(one.Status);
                break;
            case Variable.UpstreamConnectTime:
                WriteSpan(ref writer, one.StartMs, one.ConnectedMs);
                break;
            case Variable.UpstreamHeaderTime:
                WriteSpan(ref writer, one.StartMs, one.HeadMs);
                break;
            case Variable.UpstreamResponseTime:
                WriteSpan(ref writer, one.StartMs, one.EndMs);
                break;
            case Variable.UpstreamResponseLength:
                writer.WriteNumber(
                    one.HeadMs < 0 || exchange.Request.Method == HttpMethod.Head
                        ? 0
                        : Math.Max(0, exchange.ReceivedOf(one) - one.HeadBytes));
                break;
            case Variable.UpstreamBytesSent:
                writer.WriteNumber(exchange.SentOf(one));
                break;
            case Variable.UpstreamBytesReceived:
                writer.WriteNumber(exchange.ReceivedOf(one));
                break;
            default:
                writer.Write((byte)'-');
                break;
        }
    }

    internal static void WriteSpan(ref ByteWriter writer, long startMs, long endMs)
    {
        if (endMs < 0)
        {
            writer.Write((byte)'-');
        }
        else
        {
            VariableValue.WriteSeconds(ref writer, endMs - startMs);
        }
    }

    private static void WriteHeld(ref ByteWriter writer, Exchange exchange)
    {
        if (exchange.HeldMs >= 0)
        {
            VariableValue.WriteSeconds(ref writer, exchange.HeldMs);
        }
    }
}
