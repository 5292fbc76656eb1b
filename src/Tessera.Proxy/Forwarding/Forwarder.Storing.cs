using Tessera.Linux;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Transports;

namespace Tessera.Proxy.Forwarding;

/// <summary>Answers that become files on their way: nginx's proxy_store.</summary>
internal sealed partial class Forwarder
{
    /// <summary>
    /// The answer has been relayed as far as its client took it. A client that went away does not
    /// keep the rest from being stored.
    /// </summary>
    private async ReactorTask<ProxyError> FinishStoreAsync(Exchange exchange, ProxyError error)
    {
        ReplyStore store = exchange.Store!;
        if (!error.IsError)
        {
            store.NoteEnd();
        }
        else if (error.Source == ProxyErrorSource.Client)
        {
            await ReceiveForStoreAsync(exchange, store);
        }

        exchange.Store = null;
        store.End(exchange);
        return error;
    }

    private async ReactorTask<bool> ReceiveForStoreAsync(Exchange exchange, ReplyStore store)
    {
        Transport upstream = exchange.Upstream!.Transport;
        while (!store.IsComplete && !store.HasFailed)
        {
            SyscallResult received = await upstream.ReceiveRentedAsync(
                _reactor.Buffers.HeadBytes, 0, exchange.Limits.ReadTimeoutMs);
            if (received is { IsSuccess: true, Value: 0 })
            {
                store.NoteEnd();
            }

            if (!received.IsSuccess || received.Value == 0)
            {
                return store.IsComplete;
            }

            byte[] buffer = upstream.TakeReceived();
            store.Take(buffer.AsSpan(0, received.IntValue));
            _reactor.Buffers.Return(buffer);
            await _reactor.Yield(upstream.Handle.Read);
        }

        return store.IsComplete;
    }
}
