using Tessera.Linux;
using Tessera.Linux.Files;
using Tessera.Proxy.Answers;
using Tessera.Proxy.Forwarding;
using Tessera.Proxy.Http;
using Tessera.Proxy.Reactors;
using Tessera.Proxy.Telemetry;
using HttpMethod = Tessera.Proxy.Http.HttpMethod;

namespace Tessera.Proxy.Files;

/// <summary>
/// Files as nginx serves them: its index, static and autoindex modules, its conditions and ranges.
/// </summary>
internal sealed partial class FileServer
{
    /// <summary>PATH_MAX of Linux: no longer path can be opened.</summary>
    private const int MaxNameBytes = 4_096;

    private readonly byte[] _name = new byte[MaxNameBytes];
    private readonly byte[] _index = new byte[MaxNameBytes];
    private readonly List<ByteRange> _ranges = [];
    private int _nameLength;
    private LinkCheck _links;

    /// <summary>Without an error an answer has been given.</summary>
    public async ReactorTask<ProxyError> ServeDocumentAsync(Exchange exchange, DocumentSite site)
    {
        // (1) Files are read and nothing else; POST is let through to say so of what is there.
        if (exchange.Request.Method is not (HttpMethod.Get or HttpMethod.Head or HttpMethod.Post))
        {
            return await RefuseInStyleAsync(exchange, 405);
        }

        // (2) A folder: its index file, or the list of what it holds.
        bool isFolder = exchange.Path is [] or [.., (byte)'/'];
        if (isFolder)
        {
            IndexOutcome index = FindIndex(exchange, site);
            return index.IsListing ? await ListInStyleAsync(exchange, site)
                : index.Status == 200 ? ProxyError.None
                : await RefuseInStyleAsync(exchange, index.Status);
        }

        if (!TrySetName(exchange, exchange.Path))
        {
            return await RefuseInStyleAsync(exchange, 404);
        }

        // (3) The file.
        LookUp found = LookUpName();
        if (found.IsFolder)
        {
            return await RedirectToFolderAsync(exchange);
        }

        if (found.File is not { } file)
        {
            return await RefuseInStyleAsync(exchange, NoteMissing(exchange, found.Errno));
        }

        if (exchange.Request.Method == HttpMethod.Post)
        {
            return await RefuseInStyleAsync(exchange, 405);
        }

        byte[] type = exchange.Style!.TypeOf(exchange.Path);
        file.Acquire();
        OpenFile? compressed = FindPrecompressed(exchange, site);
        try
        {
            return await SendDocumentAsync(
                exchange, site, compressed ?? file, type, isCoded: compressed is not null);
        }
        finally
        {
            file.Release();
            compressed?.Release();
        }
    }

    /// <param name="Status">200: the exchange goes on at the index file.</param>
    /// <param name="IsListing">The folder is there, has no index file, and may be listed.</param>
    private readonly record struct IndexOutcome(int Status, bool IsListing);

    /// <summary>
    /// The first index file that is there is where the request goes on (ngx_http_index_handler).
    /// </summary>
    private IndexOutcome FindIndex(Exchange exchange, DocumentSite site)
    {
        ReadOnlySpan<byte> folder = exchange.Path;
        foreach (IndexFile index in site.Index)
        {
            var path = new ByteWriter(_index);
            if (!index.IsPath)
            {
                path.Write(folder);
            }

            index.Name.Write(ref path, exchange);
            if (path.HasOverflowed || !TrySetName(exchange, path.Written))
            {
                return new IndexOutcome(404, IsListing: false);
            }

            LookUp found = index.IsPath ? default : LookUpName();
            if (index.IsPath || found.File is not null || found.IsFolder)
            {
                exchange.RedirectInternally(path.Written, exchange.Query);
                return new IndexOutcome(200, IsListing: false);
            }

            if (found.Errno
                is FileErrno.AccessDenied or FileErrno.NotPermitted or FileErrno.Link)
            {
                Tell(exchange, $"open() \"{NameText}\" failed {NginxErrorText.Cause(found.Errno)}");
                return new IndexOutcome(403, IsListing: false);
            }
        }

        if (!TrySetName(exchange, folder))
        {
            return new IndexOutcome(404, IsListing: false);
        }

        LookUp there = LookUpName();
        if (!there.IsFolder)
        {
            return new IndexOutcome(NoteMissing(exchange, there.Errno), IsListing: false);
        }

        if (site.Config.ListsFolders)
        {
            return new IndexOutcome(200, IsListing: true);
        }

        Tell(exchange, $"directory index of \"{NameText}\" is forbidden");
        return new IndexOutcome(403, IsListing: false);
    }

    /// <summary>The name of the file that was looked for last.</summary>
    private string NameText =>
        System.Text.Encoding.UTF8.GetString(_name.AsSpan(1, _nameLength - 1));

    private void Tell(Exchange exchange, string message) =>
        _shard.ErrorLog.Tell(exchange, ErrorLevel.Error, message);

    /// <summary>False for a name that is longer than any file's.</summary>
    private bool TrySetName(Exchange exchange, ReadOnlySpan<byte> path)
    {
        var name = new ByteWriter(_name.AsSpan(1, MaxNameBytes - 2));
        exchange.Route!.Root!.WriteFile(ref name, path, exchange);
        _nameLength = name.Length + 1;
        _name[0] = (byte)'+';
        _name[_nameLength] = 0;
        _links = exchange.Route.Root.LinksOf(name.Written, exchange);
        return !name.HasOverflowed && name.Length > 0 && !name.Written.Contains((byte)0);
    }

    private LookUp LookUpName() =>
        _cache.Find(FileSite.WholeSystem, _name.AsSpan(0, _nameLength + 1), _reactor.NowMs, _links);

    /// <summary>The status for a file that cannot be opened.</summary>
    private int NoteMissing(Exchange exchange, int errno)
    {
        int status = errno switch
        {
            0 or FileErrno.NoEntry or FileErrno.NotFolder or FileErrno.NameTooLong => 404,
            FileErrno.AccessDenied or FileErrno.NotPermitted or FileErrno.Link => 403,
            _ => 500,
        };
        if ((status != 404 || exchange.Route!.Config.TellsMissingFiles)
            && _shard.ErrorLog.Takes(exchange, ErrorLevel.Error))
        {
            int told = errno == 0 ? FileErrno.NoEntry : errno;
            Tell(exchange, $"open() \"{NameText}\" failed {NginxErrorText.Cause(told)}");
        }

        return status;
    }

    private async ReactorTask<ProxyError> RefuseInStyleAsync(Exchange exchange, int status)
    {
        exchange.Status = status;
        await exchange.Client.AnswerAsync(
            exchange, "", exchange.Client.DecideConnection(
                exchange, isDelimited: true, isPage: true));
        return ProxyError.None;
    }

    private ReactorTask<ProxyError> RedirectToFolderAsync(Exchange exchange)
    {
        exchange.SetRedirect(WriteLocation(exchange));
        return RefuseInStyleAsync(exchange, 301);
    }

    private async ReactorTask<ProxyError> SendDocumentAsync(
        Exchange exchange, DocumentSite site, OpenFile file, byte[] type, bool isCoded)
    {
        ProxyError error = await _shard.Forwarder.SendContinueAsync(exchange);
        if (error.IsError)
        {
            return error;
        }

        if (exchange.RequestBody.IsInvalid)
        {
            return await RefuseInStyleAsync(exchange, 400);
        }

        DocumentReply reply = DecideDocument(exchange, site, file, type, isCoded);
        exchange.Status = reply.Status;
        if (reply.Status == 412)
        {
            return await RefuseInStyleAsync(exchange, reply.Status);
        }

        if (exchange.IsAsking)
        {
            exchange.NoteAsked(reply.Status);
            return ProxyError.None;
        }

        exchange.ModifiedSeconds = file.Status.ModifiedSeconds;
        exchange.AddRouteFields();
        exchange.PrepareFilters(
            reply.Status, type, file.Length, isCoded ? "gzip"u8 : default,
            FactsOf(exchange, reply));
        reply = DecideRanges(exchange, site, reply);
        exchange.Status = reply.Status;
        if (reply.Status == 416)
        {
            exchange.TryAddField("Content-Range"u8, reply.ContentRange());
            exchange.AddRouteFieldsAgain();
            exchange.ModifiedSeconds = -1;
            return await RefuseInStyleAsync(exchange, reply.Status);
        }

        if (exchange.IsFiltered)
        {
            return await SendFilteredAsync(exchange, reply);
        }

        ConnectionOption option = exchange.Client.DecideConnection(exchange, isDelimited: true);
        bool hasBody = reply.Status != 304 && exchange.Request.Method != HttpMethod.Head;
        bool isCopied = hasBody && reply.Parts is null && file.Content is not null
            && reply.Length <= MaxCopiedBytes && !exchange.Pacer.IsLimited;
        byte[] buffer = _reactor.Buffers.Rent(
            HeadBytes + reply.Type.Length + exchange.AddedFields.Length
            + (isCopied ? (int)reply.Length : 0));
        int length = reply.WriteHead(buffer, exchange, option, _shard.Clock);
        if (isCopied)
        {
            file.Content.AsSpan((int)reply.Offset, (int)reply.Length)
                .CopyTo(buffer.AsSpan(length));
            length += (int)reply.Length;
            exchange.BodyBytesSent = reply.Length;
        }

        exchange.HasReachedClient = true;
        exchange.NoteSentHead(buffer.AsSpan(0, length));
        bool isAll = isCopied || !hasBody || reply.BodyLength == 0;
        SyscallResult sent = await SendHead(exchange, buffer, length, isAll);
        _reactor.Buffers.Return(buffer);
        if (!sent.IsSuccess)
        {
            exchange.BodyBytesSent = 0;
            return SendFailed(sent);
        }

        return isAll ? ProxyError.None
            : reply.Parts is null
                ? await SendPartAsync(
                    exchange, file, file.Content, reply.Offset, reply.Length)
                : await SendDocumentPartsAsync(exchange, reply);
    }

    private DocumentReply DecideDocument(
        Exchange exchange, DocumentSite site, OpenFile file, byte[] type, bool isCoded)
    {
        var reply = new DocumentReply(200, file)
        {
            Type = type,
            Length = file.Length,
            HasETag = site.Config.SendsETag,
            IsCoded = isCoded,
        };
        if (exchange.StatusOverride is > 0 and not 200)
        {
            // What stands in the place of an error is neither known to the client nor partial.
            return reply with { Status = exchange.StatusOverride };
        }

        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        ReadOnlySpan<byte> etag = reply.HasETag ? file.ETag : default;
        long modified = file.Status.ModifiedSeconds;
        FileCondition condition = DocumentConditions.Evaluate(
            head, received, etag, modified, site.Config.ModifiedSince);
        return condition == FileCondition.Holds
            ? reply
            : reply with { Status = condition == FileCondition.Failed ? 412 : 304 };
    }

    /// <summary>
    /// Parts are of what is sent: where the body changes on its way there are none
    /// (ngx_http_range_header_filter).
    /// </summary>
    private DocumentReply DecideRanges(
        Exchange exchange, DocumentSite site, DocumentReply reply)
    {
        if (reply.Status != 200 || exchange.HasNoParts || reply.IsCoded
            || site.Config.MaxRanges == 0)
        {
            return reply;
        }

        reply = reply with { TakesRanges = true };
        RequestHead head = exchange.Request;
        ReadOnlySpan<byte> received = exchange.Received;
        OpenFile file = reply.File;
        if (head.IsSimple
            || !DocumentConditions.TryFind(head, received, HeaderKind.Range, out var field)
            || !DocumentRanges.IsOfThis(
                head, received, reply.HasETag ? file.ETag : default, file.Status.ModifiedSeconds))
        {
            return reply;
        }

        RangeOutcome outcome = DocumentRanges.Parse(
            field, file.Length, site.Config.MaxRanges, _ranges);
        if (outcome == RangeOutcome.Parts && _ranges.Count > 1 && exchange.HasOnePart)
        {
            return reply;
        }

        if (outcome == RangeOutcome.Parts)
        {
            exchange.LeaveTrailers();
        }

        return outcome switch
        {
            RangeOutcome.NotSatisfiable => reply with { Status = 416 },
            RangeOutcome.Parts when _ranges.Count == 1 => reply with
            {
                Status = 206, Offset = _ranges[0].First, Length = _ranges[0].Length,
            },
            RangeOutcome.Parts => reply with
            {
                Status = 206,
                Parts = [.. _ranges],
                Boundary = DocumentReply.NextBoundary(),
                FullType = DocumentReply.TypeWithCharset(exchange, reply.Type),
            },
            _ => reply,
        };
    }

    /// <summary>What expires says counts as if a backend had said it.</summary>
    private static ProxiedFacts FactsOf(Exchange exchange, in DocumentReply reply) =>
        new(exchange.HasExpiry, exchange.AddedFields.IndexOf("no-cache"u8) >= 0,
            exchange.HasExpiry, exchange.AddedFields.IndexOf("no-cache"u8) >= 0,
            IsNoStore: false, IsPrivate: false, HasLastModified: true, reply.HasETag);

    private async ReactorTask<ProxyError> SendDocumentPartsAsync(
        Exchange exchange, DocumentReply reply)
    {
        OpenFile file = reply.File;
        byte[] buffer = _reactor.Buffers.Rent(DocumentReply.MaxPartHeadBytes);
        ProxyError error = ProxyError.None;
        for (int i = 0; i <= reply.Parts!.Length && !error.IsError; i++)
        {
            bool isEnd = i == reply.Parts.Length;
            int length = isEnd
                ? reply.WriteEnd(buffer)
                : reply.WritePartHead(buffer, reply.Parts[i]);
            SyscallResult sent = await SendHead(exchange, buffer, length, isEnd);
            exchange.BodyBytesSent += exchange.Client.Transport.Sent;
            error = !sent.IsSuccess ? SendFailed(sent)
                : isEnd ? ProxyError.None
                : await SendPartAsync(
                    exchange, file, file.Content, reply.Parts[i].First,
                    reply.Parts[i].Length);
        }

        _reactor.Buffers.Return(buffer);
        return error;
    }

    private async ReactorTask<ProxyError> ListInStyleAsync(Exchange exchange, DocumentSite site)
    {
        if (site.Config.ListingFormat == ListingFormat.Jsonp
            && !DocumentListing.HasFitCallback(exchange.Query))
        {
            return await RefuseInStyleAsync(exchange, 400);
        }

        byte[]? page = TryListInStyle(exchange, site);
        if (page is null)
        {
            return await RefuseInStyleAsync(exchange, 403);
        }

        exchange.Status = exchange.StatusOverride > 0 ? exchange.StatusOverride : 200;
        if (exchange.IsAsking)
        {
            exchange.NoteAsked(exchange.Status);
            return ProxyError.None;
        }

        return await SendListingAsync(
            exchange, page, DocumentListing.TypeOf(site.Config.ListingFormat, exchange).ToArray());
    }

    private byte[]? TryListInStyle(Exchange exchange, DocumentSite site)
    {
        try
        {
            string folder = System.Text.Encoding.UTF8.GetString(
                _name.AsSpan(1, _nameLength - 1));
            return DocumentListing.Write(folder, exchange, site.Config);
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
