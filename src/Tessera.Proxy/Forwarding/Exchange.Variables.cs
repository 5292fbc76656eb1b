using System.Buffers;
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
    private byte[] _captured = [];
    private (int Start, int Length)[] _captures = [];
    private int _captureCount;
    private bool _hasCaptured;
    private int _depth;

    /// <summary>
    /// The folder of its location's files is being written: variables that need it, and stand in
    /// it, have none.
    /// </summary>
    public bool IsWritingRoot { get; set; }

    /// <summary>An expression has matched since the exchange began.</summary>
    public bool HasCaptured => _hasCaptured;

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
        _hasCaptured = true;
        _captureCount = 0;
    }

    /// <param name="text">What was matched, each byte a character.</param>
    /// <param name="groups">The first is the whole match.</param>
    public void NoteCaptures(ReadOnlySpan<byte> text, GroupCollection groups)
    {
        if (_captured.Length < text.Length)
        {
            _captured = new byte[Math.Max(text.Length, 64)];
        }

        text.CopyTo(_captured);
        _hasCaptured = true;
        _captureCount = Math.Min(groups.Count, MaxCaptures);
        if (_captures.Length < _captureCount)
        {
            _captures = new (int, int)[MaxCaptures];
        }

        for (int i = 0; i < _captureCount; i++)
        {
            Group group = groups[i];
            _captures[i] = group.Success ? (group.Index, group.Length) : (0, 0);
        }
    }

    /// <summary>Empty for a group that the last expression has not.</summary>
    public ReadOnlySpan<byte> CaptureOf(int group) => group < _captureCount
        ? _captured.AsSpan(_captures[group].Start, _captures[group].Length)
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

        _captured = _captured.Length > MaxSpareBytes ? [] : _captured;
        _captureCount = 0;
        _hasCaptured = false;
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
