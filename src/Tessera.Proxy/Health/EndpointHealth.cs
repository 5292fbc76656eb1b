namespace Tessera.Proxy.Health;

/// <summary>
/// What is known of the health of one endpoint, from its requests and from its probe, and whether
/// it gets requests for that. Shared by all reactors: every field is atomic, and what a healthy
/// endpoint costs a request is one read when it is picked and one when it has answered. Times are
/// on the reactors' clock.
/// </summary>
internal sealed class EndpointHealth
{
    /// <summary>An ejection is at most so many times as long as the first.</summary>
    private const int MaxEjectionFactor = 10;

    private int _marks;
    private Settings _settings = Settings.None;
    private FailureCount _failures;
    private OutlierCount _outlier;
    private long _avoidedSinceMs;
    private long _avoidedUntilMs;
    private long _ejectedUntilMs;
    private int _ejections;
    private long _backSinceMs;
    private News _avoided = News.Now("");
    private News _ejected = News.Now("");
    private News _failingProbe = News.Now("");
    private News _well = News.Now("");

    [Flags]
    private enum Marks
    {
        None = 0,
        Avoided = 1,
        Ejected = 2,
        FailingProbe = 4,
        Troubles = Avoided | Ejected | FailingProbe,

        /// <summary>Successes count as well: the backend looks for outliers.</summary>
        CountsSuccesses = 8,
    }

    /// <summary>
    /// When it was, or will be, relieved of its last trouble; 0 when it never had one.
    /// </summary>
    public long BackSinceMs => Math.Max(
        Math.Max(Volatile.Read(ref _backSinceMs), Volatile.Read(ref _ejectedUntilMs)),
        Has(Marks.Avoided) ? Volatile.Read(ref _avoidedUntilMs) : 0);

    /// <summary>It does not pass its probe, or waits for the first one.</summary>
    public bool IsFailingProbe => Has(Marks.FailingProbe);

    private Marks Current => (Marks)Volatile.Read(ref _marks);

    /// <summary>Called while a configuration is applied.</summary>
    public void Configure(
        BackendHealth backend, EndpointConfig config, OutlierConfig? outlier, bool isManaged)
    {
        // The exit of a managed endpoint is told by whoever started it: a refused connection says
        // nothing that is still true a second later, unless the user wants it to.
        int maxFails = config.MaxFails ?? (isManaged ? 0 : 1);
        Volatile.Write(
            ref _settings,
            new Settings(backend, config.Id, maxFails, config.FailTimeoutMs, outlier));
        if (maxFails <= 0)
        {
            TryUnmark(Marks.Avoided);
        }

        if (outlier is null)
        {
            TryUnmark(Marks.Ejected | Marks.CountsSuccesses);
        }
        else
        {
            Mark(Marks.CountsSuccesses);
        }
    }

    /// <summary>Endpoints without trouble go first.</summary>
    public bool IsAvoided(long nowMs)
    {
        Marks troubles = Current & Marks.Troubles;
        return troubles != Marks.None && IsAvoided(troubles, nowMs);
    }

    /// <summary>It fails its probe, and enough others do not.</summary>
    public bool IsShunned =>
        IsFailingProbe && Volatile.Read(ref _settings).Backend is not { UsesAll: true };

    public bool IsEjected(long nowMs) =>
        Has(Marks.Ejected) && nowMs < Volatile.Read(ref _ejectedUntilMs);

    /// <summary>
    /// A request begins here. After the time of an avoided endpoint is over, the first one finds
    /// out whether it is well; until that is known it is avoided by the others, once more as long
    /// at most. (Reactors that pick in the very same moment may send one each.)
    /// </summary>
    public void NoteBegun(long nowMs)
    {
        if (Has(Marks.Avoided))
        {
            long untilMs = Volatile.Read(ref _avoidedUntilMs);
            if (nowMs >= untilMs)
            {
                long nextMs = nowMs + Volatile.Read(ref _settings).FailTimeoutMs;
                Interlocked.CompareExchange(ref _avoidedUntilMs, nextMs, untilMs);
            }
        }
    }

    /// <summary>An answer that is no failure came to a request that began then.</summary>
    /// <param name="isForOutlier">Nor is it one for <see cref="OutlierConfig"/>.</param>
    public void NoteSuccess(long beganMs, long nowMs, bool isForOutlier)
    {
        Marks marks = Current;
        if ((marks & (Marks.Avoided | Marks.CountsSuccesses)) == Marks.None)
        {
            return;
        }

        if (isForOutlier && Volatile.Read(ref _settings).Outlier is { } outlier)
        {
            _outlier.AddSuccess(outlier, nowMs);
        }

        // What was under way before the failure does not speak against it.
        if ((marks & Marks.Avoided) != 0 && beganMs > Volatile.Read(ref _avoidedSinceMs)
            && TryUnmark(Marks.Avoided))
        {
            _failures.Clear();
            NoteRelief(nowMs, "it answers again");
        }
    }

    /// <summary>A request failed here.</summary>
    /// <param name="isForMaxFails">It counts for <see cref="EndpointConfig.MaxFails"/>.</param>
    /// <param name="isForOutlier">It counts for <see cref="OutlierConfig"/>.</param>
    /// <param name="what">In words.</param>
    public void NoteFailure(long nowMs, bool isForMaxFails, bool isForOutlier, string what)
    {
        Settings settings = Volatile.Read(ref _settings);
        if (isForMaxFails && settings.MaxFails > 0)
        {
            CountForMaxFails(settings, nowMs, what);
        }

        // What still fails of an endpoint that is ejected already adds nothing to it.
        if (isForOutlier && settings.Outlier is { } outlier && !IsEjected(nowMs)
            && _outlier.AddFailure(outlier, nowMs) is { } why)
        {
            settings.Backend?.TryEject(this, settings.Endpoint, outlier, why, nowMs);
        }
    }

    /// <summary>
    /// Takes it out, for longer each time; a time in which it did well makes it shorter again.
    /// Returns for how long, in milliseconds.
    /// </summary>
    public long Eject(OutlierConfig config, string reason, long nowMs)
    {
        long wellMs = nowMs - Volatile.Read(ref _ejectedUntilMs);
        long forgiven = Math.Min(wellMs / Math.Max(config.EjectionMs, 1), _ejections);
        _ejections = (int)Math.Min(_ejections - forgiven + 1, MaxEjectionFactor);
        long lengthMs = (long)config.EjectionMs * _ejections;
        _outlier.Clear();
        Volatile.Write(ref _ejected, News.Now(reason));
        Volatile.Write(ref _ejectedUntilMs, nowMs + lengthMs);
        Mark(Marks.Ejected);
        return lengthMs;
    }

    /// <summary>Its probe fails, or nobody has asked it yet. True when that is news.</summary>
    public bool NoteProbeFails(string reason)
    {
        Volatile.Write(ref _failingProbe, IsFailingProbe
            ? _failingProbe with { Reason = reason }
            : News.Now(reason));
        return Mark(Marks.FailingProbe);
    }

    /// <summary>
    /// Its probe passes, or there is none any more. True when that is news: then failures from
    /// before say nothing more either.
    /// </summary>
    public bool NoteProbePasses(long nowMs)
    {
        if (!TryUnmark(Marks.FailingProbe))
        {
            return false;
        }

        TryUnmark(Marks.Avoided);
        _failures.Clear();
        Volatile.Write(ref _backSinceMs, nowMs);
        Volatile.Write(ref _well, News.Now(""));
        return true;
    }

    public HealthStatus GetStatus(long nowMs)
    {
        Marks marks = Current;
        (HealthState state, News news) =
            (marks & Marks.FailingProbe) != 0 ? (HealthState.FailingProbe, _failingProbe)
            : IsEjected(nowMs) ? (HealthState.Ejected, _ejected)
            : (marks & Marks.Avoided) != 0 ? (HealthState.Avoided, _avoided)
            : (HealthState.Well, _well);
        return new HealthStatus(state, news.Reason, news.Since);
    }

    private bool IsAvoided(Marks troubles, long nowMs)
    {
        if ((troubles & Marks.Ejected) != 0)
        {
            if (nowMs < Volatile.Read(ref _ejectedUntilMs))
            {
                return true;
            }

            if (TryUnmark(Marks.Ejected))
            {
                NoteRelief(nowMs, "its time out is over");
            }
        }

        return IsShunned
            || ((troubles & Marks.Avoided) != 0 && nowMs < Volatile.Read(ref _avoidedUntilMs));
    }

    private void CountForMaxFails(Settings settings, long nowMs, string what)
    {
        // It is being avoided, or on its one chance to show that it is well.
        int count = _failures.Add(nowMs, settings.FailTimeoutMs);
        if (count < settings.MaxFails && !Has(Marks.Avoided))
        {
            return;
        }

        Volatile.Write(ref _avoidedSinceMs, nowMs);
        Volatile.Write(ref _avoidedUntilMs, nowMs + settings.FailTimeoutMs);
        if (!Has(Marks.Avoided))
        {
            Volatile.Write(ref _avoided, News.Now(what));
        }

        if (Mark(Marks.Avoided))
        {
            settings.Backend?.Say(
                $"endpoint {settings.Endpoint} is avoided for {settings.FailTimeoutMs} ms: {what}");
        }
    }

    private void NoteRelief(long nowMs, string why)
    {
        Volatile.Write(ref _backSinceMs, nowMs);
        Volatile.Write(ref _well, News.Now(""));
        Settings settings = Volatile.Read(ref _settings);
        settings.Backend?.Say($"endpoint {settings.Endpoint} gets requests again: {why}");
    }

    private bool Has(Marks mark) => (Current & mark) != 0;

    /// <summary>True when it did not have the mark.</summary>
    private bool Mark(Marks mark) =>
        (Interlocked.Or(ref _marks, (int)mark) & (int)mark) == 0;

    /// <summary>True when it had the mark, or one of them.</summary>
    private bool TryUnmark(Marks mark) =>
        (Interlocked.And(ref _marks, ~(int)mark) & (int)mark) != 0;

    private sealed record News(string Reason, DateTimeOffset Since)
    {
        public static News Now(string reason) => new(reason, TimeProvider.System.GetUtcNow());
    }

    /// <summary>What one configuration says. Immutable.</summary>
    private sealed record Settings(
        BackendHealth? Backend, string Endpoint, int MaxFails, int FailTimeoutMs,
        OutlierConfig? Outlier)
    {
        public static Settings None { get; } = new(null, "", 1, 10_000, null);
    }
}
