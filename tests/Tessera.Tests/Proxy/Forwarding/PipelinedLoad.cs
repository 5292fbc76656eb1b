using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tessera.Tests.Proxy.Forwarding;

/// <summary>
/// Many requests in little time: batches of them are sent at once, on several connections, and
/// their answers are counted by a mark that each has once.
/// </summary>
/// <param name="batch">The requests, one behind the other.</param>
/// <param name="answers">To one batch.</param>
internal sealed class PipelinedLoad(IPEndPoint address, string batch, int answers, string mark)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly byte[] _batch = Encoding.ASCII.GetBytes(batch);
    private readonly byte[] _mark = Encoding.ASCII.GetBytes(mark);

    /// <param name="batches">On each connection.</param>
    public Task RunAsync(int connections, int batches) => Task.WhenAll(
        Enumerable.Range(0, connections).Select(_ => Task.Run(() => RunOneAsync(batches))));

    private async Task RunOneAsync(int batches)
    {
        using var patience = new CancellationTokenSource(Patience);
        using var socket = new Socket(
            AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, patience.Token);
        byte[] buffer = new byte[64 * 1_024];
        int kept = 0;
        for (int i = 0; i < batches; i++)
        {
            await socket.SendAsync(_batch, patience.Token);
            for (int got = 0; got < answers;)
            {
                int received = await socket.ReceiveAsync(buffer.AsMemory(kept), patience.Token);
                if (received == 0)
                {
                    throw new InvalidOperationException($"ended after {got} answers of {answers}");
                }

                // What may be the begin of a mark is looked at again with what follows.
                ReadOnlySpan<byte> bytes = buffer.AsSpan(0, kept + received);
                got += bytes.Count(_mark);
                int last = bytes.LastIndexOf(_mark);
                int rest = last < 0 ? bytes.Length : bytes.Length - last - _mark.Length;
                kept = Math.Min(rest, _mark.Length - 1);
                bytes[^kept..].CopyTo(buffer);
            }
        }
    }
}
