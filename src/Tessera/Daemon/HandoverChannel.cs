using System.Net.Sockets;
using System.Text.Json;
using Tessera.Linux;
using Tessera.Linux.Net;

namespace Tessera.Daemon;

/// <summary>
/// The connection between two daemons, one of which hands over to the other. Used by one flow at a
/// time.
/// </summary>
internal sealed class HandoverChannel(Socket socket) : IDisposable
{
    /// <summary>Below what the kernel takes as one message (net.core.wmem_default).</summary>
    private const int MaxMessageBytes = 192 * 1024;

    /// <summary>A peer that reads nothing for so long hangs.</summary>
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan SendPause = TimeSpan.FromMilliseconds(5);

    private readonly byte[] _buffer = new byte[MaxMessageBytes];

    /// <summary>The process on the other side.</summary>
    public int PeerPid => DescriptorMessages.GetPeerProcess(Descriptor).IntValue;

    private int Descriptor => (int)socket.Handle;

    public static Socket CreateSocket() =>
        new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);

    /// <exception cref="IOException">The other side is gone, or does not read.</exception>
    public async Task SendAsync(
        HandoverMessage message, int[] descriptors, CancellationToken cancellation)
    {
        if (!await TrySendAsync(message, descriptors, cancellation))
        {
            throw new IOException($"{message.Step} is longer than a message may be");
        }
    }

    /// <summary>As <see cref="SendAsync(HandoverMessage, int[], CancellationToken)"/>.</summary>
    /// <returns>False when it is longer than a message may be: nothing was sent.</returns>
    /// <exception cref="IOException">The other side is gone, or does not read.</exception>
    public async Task<bool> TrySendAsync(
        HandoverMessage message, int[] descriptors, CancellationToken cancellation)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(
            message, HandoverJson.Default.HandoverMessage);
        if (json.Length > MaxMessageBytes)
        {
            return false;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(SendLimit);
        while (true)
        {
            SyscallResult sent = DescriptorMessages.Send(Descriptor, json, descriptors);
            if (sent.IsSuccess || sent.Errno == Errno.MessageTooLong)
            {
                return sent.IsSuccess;
            }

            if (sent.Errno != Errno.TryAgain)
            {
                throw new IOException($"sendmsg: {Errno.Describe(sent.Errno)}");
            }

            try
            {
                await Task.Delay(SendPause, limit.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new IOException("the other daemon takes no message");
            }
        }
    }

    public Task SendAsync(HandoverStep step, CancellationToken cancellation) =>
        SendAsync(HandoverMessage.Of(step), [], cancellation);

    /// <summary>
    /// The next message and the descriptors that came with it, which are the caller's; null when
    /// the other side is gone.
    /// </summary>
    /// <exception cref="TimeoutException">Nothing came within the limit.</exception>
    /// <exception cref="IOException">What came is no message.</exception>
    public async Task<(HandoverMessage Message, int[] Descriptors)?> ReceiveAsync(
        TimeSpan limit, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        either.CancelAfter(limit);
        try
        {
            // A look takes neither the message nor its descriptors out of the socket.
            await socket.ReceiveAsync(new byte[1], SocketFlags.Peek, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"the other daemon has said nothing for {limit.TotalSeconds:0} s");
        }
        catch (SocketException)
        {
            return null;
        }

        SyscallResult received = DescriptorMessages.Receive(
            Descriptor, _buffer, out int[] descriptors);
        if (!received.IsSuccess || received.Value == 0)
        {
            return null;
        }

        try
        {
            return (JsonSerializer.Deserialize(
                _buffer.AsSpan(0, received.IntValue), HandoverJson.Default.HandoverMessage)
                ?? throw new JsonException("it is null"), descriptors);
        }
        catch (JsonException fault)
        {
            Array.ForEach(descriptors, SocketCalls.Close);
            throw new IOException($"the other daemon's message cannot be read: {fault.Message}");
        }
    }

    public void Dispose() => socket.Dispose();
}
