using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// The values that variables of the configuration have for this exchange, and the groups of the
/// last expression that matched.
/// </summary>
internal sealed partial class Exchange
{
    /// <summary>$1 to $9, and those that have names.</summary>
    private const int MaxCaptures = 32;

    /// <summary>A variable that asks for itself ends here.</summary>
    private const int MaxDepth = 16;

    /// <summary>Longer values are cut.</summary>
    private const int MaxValueBytes = 1_024 * 1_024;

    private OwnValue[] _own = [];
    private int _depth;

    /// <summary>
    /// The folder of its location's files is being written: variables that need it, and stand in
    /// it, have none.
    /// </summary>
    public bool IsWritingRoot { get; set; }

    /// <summary>An expression has matched since the exchange began.</summary>
    public bool HasCaptured => _visit.HasCaptured;

    /// <summary>
    /// The first line as it was sent, however much of it came and whatever it says; empty when
    /// nothing did (nginx's $request).
    /// </summary>
    public ReadOnlySpan<byte> RequestLine
    {
        get
        {
            ReadOnlySpan<byte> line = Received.TrimStart("\r\n"u8);
            int end = line.IndexOfAny((byte)'\r', (byte)'\n');
            return end < 0 ? line : line[..end];
        }
    }

    /// <summary>What the first line calls its protocol; nothing in HTTP/0.9.</summary>
    public ReadOnlySpan<byte> ProtocolText
    {
        get
        {
            int target = Request.TargetStart + Request.TargetLength - Request.Start;
            ReadOnlySpan<byte> line = RequestLine;
            return Request.TargetLength == 0 || line.Length < target
                ? default
                : line[target..].TrimStart((byte)' ');
        }
    }

    /// <summary>Valid until the variable is set again.</summary>
    public ReadOnlySpan<byte> OwnValueOf(OwnVariable variable)
    {
        ref OwnValue value = ref SlotOf(variable);
        if (value.Variable == variable && !variable.IsVolatile)
        {
            return value.Text;
        }

        if (_depth == MaxDepth)
        {
            return default;
        }

        _depth++;
        Compute(variable);
        _depth--;
        return SlotOf(variable).Text;
    }

    /// <summary>It was set, and not merely asked for.</summary>
    public bool HasSet(OwnVariable variable) =>
        SlotOf(variable) is { IsSet: true } value && value.Variable == variable;

    public void SetOwn(OwnVariable variable, ReadOnlySpan<byte> text) =>
        Put(variable, text, isSet: true);

    /// <summary>
    /// An expression without groups has matched, or one of a script has not: as with nginx no group
    /// of an earlier one is left.
    /// </summary>
    public void ForgetCaptures()
    {
        _visit.HasCaptured = true;
        _visit.CaptureCount = 0;
    }

    /// <param name="text">What was matched.</param>
    /// <param name="groups">The first is the whole match.</param>
    /// <param name="characters">
    /// The text that groups lie in, where that is characters of UTF-8; null where it is bytes.
    /// </param>
    public void NoteCaptures(
        ReadOnlySpan<byte> text, GroupCollection groups, string? characters = null)
    {
        if (_visit.Captured.Length < text.Length)
        {
            _visit.Captured = new byte[Math.Max(text.Length, 64)];
        }

        text.CopyTo(_visit.Captured);
        _visit.HasCaptured = true;
        _visit.CaptureCount = Math.Min(groups.Count, MaxCaptures);
        if (_visit.Captures.Length < _visit.CaptureCount)
        {
            _visit.Captures = new (int, int)[MaxCaptures];
        }

        for (int i = 0; i < _visit.CaptureCount; i++)
        {
            Group group = groups[i];
            _visit.Captures[i] = !group.Success ? (0, 0)
                : characters is null ? (group.Index, group.Length)
                : (Encoding.UTF8.GetByteCount(characters.AsSpan(0, group.Index)),
                    Encoding.UTF8.GetByteCount(group.ValueSpan));
        }
    }

    /// <summary>Empty for a group that the last expression has not.</summary>
    public ReadOnlySpan<byte> CaptureOf(int group) => group < _visit.CaptureCount
        ? _visit.Captured.AsSpan(_visit.Captures[group].Start, _visit.Captures[group].Length)
        : default;

    private void Put(OwnVariable variable, ReadOnlySpan<byte> text, bool isSet)
    {
        ref OwnValue value = ref SlotOf(variable);
        value.IsSet = isSet;
        if (value.Bytes is null || value.Bytes.Length < text.Length)
        {
            value.Bytes = new byte[Math.Max(text.Length, 32)];
        }

        text.CopyTo(value.Bytes);
        value.Length = text.Length;
        value.Variable = variable;
    }

    private void Compute(OwnVariable variable)
    {
        for (int size = MaxSpareBytes; ; size *= 4)
        {
            byte[] rented = ArrayPool<byte>.Shared.Rent(size);
            var writer = new ByteWriter(rented);
            variable.Compute(ref writer, this);
            bool isDone = !writer.HasOverflowed || size >= MaxValueBytes;
            if (isDone)
            {
                Put(variable, writer.Written, isSet: false);
            }

            ArrayPool<byte>.Shared.Return(rented);
            if (isDone)
            {
                return;
            }
        }
    }

    private ref OwnValue SlotOf(OwnVariable variable)
    {
        if (_own.Length <= variable.Slot)
        {
            Array.Resize(ref _own, variable.Slot + 8);
        }

        return ref _own[variable.Slot];
    }

    private void ResetVariables()
    {
        foreach (ref OwnValue value in _own.AsSpan())
        {
            value.Variable = null;
            value.Bytes = value.Bytes is { Length: > MaxSpareBytes } ? null : value.Bytes;
        }

        _depth = 0;
    }

    /// <summary>Of one variable; another one's while a configuration is changed.</summary>
    private struct OwnValue
    {
        public OwnVariable? Variable;
        public byte[]? Bytes;
        public int Length;
        public bool IsSet;

        public readonly ReadOnlySpan<byte> Text => Bytes.AsSpan(0, Length);
    }
}
