using Tessera.Linux;
using Tessera.Proxy.Files;
using Tessera.Proxy.Http;
using Tessera.Proxy.Routing;
using Tessera.Proxy.Telemetry;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// A copy of one answer's body on its way to become a file: nginx's proxy_store. It is complete
/// when the endpoint has sent all of it, whoever else got how much. Owned by one reactor.
/// </summary>
internal sealed class ReplyStore
{
    /// <summary>PATH_MAX of Linux.</summary>
    private const int MaxPathBytes = 4_096;

    private readonly TemporaryFile _file;
    private readonly byte[] _target;
    private readonly uint _mode;
    private readonly long _modifiedSeconds;
    private BodyReader _body;
    private int _errno;

    private ReplyStore(
        TemporaryFile file, byte[] target, uint mode, long modifiedSeconds, BodyReader body)
    {
        _file = file;
        _target = target;
        _mode = mode;
        _modifiedSeconds = modifiedSeconds;
        _body = body;
    }

    /// <summary>Nothing of the body is missing.</summary>
    public bool IsComplete => _body.IsComplete;

    /// <summary>Nothing more can come of it.</summary>
    public bool HasFailed => _errno != 0 || _body.IsInvalid;

    /// <summary>
    /// Begins one for the answer whose head is at hand; null when it is none that is kept.
    /// </summary>
    public static ReplyStore? TryBegin(Exchange exchange, PassRule rule, BodyFraming framing)
    {
        if (rule.Config.Store is not { } config || exchange.Response.StatusCode != 200
            || exchange.Request.Method == Http.HttpMethod.Head)
        {
            return null;
        }

        byte[]? target = FindTarget(exchange, rule);
        if (target is null)
        {
            return null;
        }

        SyscallResult created = TemporaryFile.TryCreate(
            config.Folder, keepsName: true, out TemporaryFile? file);
        if (!created.IsSuccess)
        {
            Tell(exchange, $"open() \"{config.Folder.Path}\"", created.Errno);
            return null;
        }

        ReadOnlySpan<byte> head =
            exchange.Reply.AsSpan(exchange.ReplyStart, exchange.Response.Length);
        bool isDated = HttpDate.TryParse(
            Variables.FieldText.Find(head, "last_modified"u8), out long seconds);
        return new ReplyStore(
            file!, target, (uint)config.Mode, isDated ? seconds : -1,
            new BodyReader(framing, exchange.Response.ContentLength, isTolerant: true));
    }

    /// <summary>What the endpoint has sent, framing included.</summary>
    public void Take(ReadOnlySpan<byte> received)
    {
        while (!received.IsEmpty && !_body.IsComplete && !HasFailed)
        {
            int taken = _body.TakeData(received, out int start, out int length);
            _errno = _file.TryAppend(received.Slice(start, length)).Errno;
            received = received[taken..];
            if (taken == 0)
            {
                return;
            }
        }
    }

    /// <summary>The endpoint ended its stream.</summary>
    public void NoteEnd() => _body.TryEnd();

    /// <summary>
    /// The copy becomes the file that it is to be when it is complete, else nothing.
    /// </summary>
    public void End(Exchange exchange)
    {
        if (IsComplete && !HasFailed)
        {
            SyscallResult moved = _file.MoveTo(_target, _mode, _modifiedSeconds);
            if (!moved.IsSuccess)
            {
                string target = LogEscape.ToText(_target.AsSpan(0, _target.Length - 1));
                string file = LogEscape.ToText(_file.Path);
                Tell(exchange, $"rename() \"{file}\" to \"{target}\"", moved.Errno);
            }
        }
        else if (_errno != 0)
        {
            Tell(exchange, $"pwrite() \"{LogEscape.ToText(_file.Path)}\"", _errno);
        }

        _file.Close();
    }

    /// <summary>Nothing becomes of it.</summary>
    public void Abandon() => _file.Close();

    /// <summary>With NUL at its end; null where there is no name.</summary>
    private static byte[]? FindTarget(Exchange exchange, PassRule rule)
    {
        Span<byte> buffer = stackalloc byte[MaxPathBytes];
        var path = new ByteWriter(buffer);
        if (rule.StorePath is { } template)
        {
            template.Write(ref path, exchange);
        }
        else
        {
            exchange.Route!.Root?.WriteFile(ref path, exchange.Path, exchange);
        }

        path.Write((byte)0);
        return path.HasOverflowed || path.Length == 1 || path.Written[..^1].Contains((byte)0)
            ? null
            : path.Written.ToArray();
    }

    private static void Tell(Exchange exchange, string what, int errno)
    {
        ErrorLog log = exchange.Client.Shard.ErrorLog;
        if (log.Takes(exchange, ErrorLevel.Critical))
        {
            log.Tell(
                exchange,
                ErrorLevel.Critical,
                $"{what} failed {NginxErrorText.Cause(errno)}");
        }
    }
}
