using System.Collections.Immutable;

namespace Tessera.Proxy;

/// <summary>What becomes of the file that a request's body is kept in.</summary>
public enum BodyFileUse
{
    /// <summary>A body is in a file only when it is too large for memory.</summary>
    WhenLarge,

    /// <summary>Every body is, until its request ends.</summary>
    Always,

    /// <summary>Every body is, and the file stays: it is somebody else's from then on.</summary>
    Leave,
}

/// <summary>How bodies of requests are kept that are received before they are passed on.</summary>
public sealed record BodyKeepingConfig
{
    /// <summary>Larger ones are kept in a file: nginx's client_body_buffer_size.</summary>
    public long MemoryBytes { get; init; } = 16 * 1_024;

    /// <summary>client_body_temp_path.</summary>
    public required TemporaryFolderConfig Folder { get; init; }

    /// <summary>client_body_in_file_only.</summary>
    public BodyFileUse FileUse { get; init; }
}

/// <summary>Where temporary files are made; nginx's …_temp_path.</summary>
/// <param name="Path">Absolute; made when the first file is.</param>
/// <param name="Levels">
/// Digits in the names of folders within folders, from the end of a file's number: up to three, 1
/// to 3 each.
/// </param>
public sealed record TemporaryFolderConfig(string Path, ImmutableArray<int> Levels);

/// <summary>Answers are kept as files when they are whole: nginx's proxy_store.</summary>
public sealed record StoreConfig
{
    /// <summary>The file, with variables; null is the one that the location's root has.</summary>
    public string? Path { get; init; }

    /// <summary>Permissions of the file; nginx's proxy_store_access.</summary>
    public int Mode { get; init; } = 0x180;

    /// <summary>proxy_temp_path.</summary>
    public required TemporaryFolderConfig Folder { get; init; }
}
