using Tessera.Proxy.Routing;
using Tessera.Proxy.Variables;

namespace Tessera.Proxy.Forwarding;

/// <summary>
/// A question that is put to another location before the request goes on: nginx's auth_request. The
/// exchange itself goes there, without its body, and whatever answers tells it instead of the
/// client.
/// </summary>
internal sealed partial class Exchange
{
    private Departure _departure;
    private byte[] _challenge = [];
    private int _challengeLength;

    /// <summary>Answers are for the exchange, not for the client.</summary>
    public bool IsAsking { get; private set; }

    /// <summary>0 until there is an answer.</summary>
    public int AskedStatus { get; private set; }

    /// <summary>What the answer says a client must prove; empty for nothing.</summary>
    public ReadOnlySpan<byte> AskedChallenge => _challenge.AsSpan(0, _challengeLength);

    public void BeginAsking(AuthRequestRoute rule)
    {
        _departure = new Departure(
            Route!, rule, Path.ToArray(), Query.ToArray(), _queryLength, HasChangedUri, IsInternal,
            LeftLocation, _hasErrorPage, StatusOverride, _changesLeft, _addedLength);
        using var uri = EvaluatedText.Of(rule.Uri, this);
        _hasErrorPage = false;
        StatusOverride = 0;
        _changesLeft = MaxChanges;
        RedirectInternally(uri.Text);
        _changesLeft = MaxChanges;
        _challengeLength = 0;
        AskedStatus = 0;
        IsAsking = true;
    }

    /// <summary>An answer is there; its head still is at hand.</summary>
    public void NoteAsked(int status)
    {
        AskedStatus = status;
        foreach ((Template value, OwnVariable variable) in _departure.Rule.Variables)
        {
            using var text = EvaluatedText.Of(value, this);
            SetOwn(variable, text.Text);
        }

        ReadOnlySpan<byte> challenge = FieldText.Find(UpstreamHead, "www_authenticate"u8);
        _challenge = _challenge.Length < challenge.Length
            ? new byte[challenge.Length]
            : _challenge;
        challenge.CopyTo(_challenge);
        _challengeLength = challenge.Length;
    }

    /// <summary>Everything is as it was before. Returns the answer's status; 0 for none.</summary>
    public int EndAsking()
    {
        Departure from = _departure;
        _departure = default;
        BeginAnew();
        IsAsking = false;
        Jump = Jump.None;
        Follow(from.Route);
        SetPath(from.Path);
        SetQuery(from.Query);
        _queryLength = from.QueryLength;
        HasChangedUri = from.HasChangedUri;
        IsInternal = from.IsInternal;
        LeftLocation = from.LeftLocation;
        _hasErrorPage = from.HasErrorPage;
        StatusOverride = from.StatusOverride;
        _changesLeft = from.ChangesLeft;
        _addedLength = from.AddedLength;
        _hasRouteFields = false;
        Array.Clear(_tries, 0, TryCount);
        TryCount = 0;
        return AskedStatus;
    }

    private void ResetAsking()
    {
        _departure = default;
        _challengeLength = 0;
        IsAsking = false;
        AskedStatus = 0;
    }

    /// <summary>What the exchange goes back to.</summary>
    private readonly record struct Departure(
        Route Route, AuthRequestRoute Rule, byte[] Path, byte[] Query, int QueryLength,
        bool HasChangedUri, bool IsInternal, bool LeftLocation, bool HasErrorPage,
        int StatusOverride, int ChangesLeft, int AddedLength);
}
