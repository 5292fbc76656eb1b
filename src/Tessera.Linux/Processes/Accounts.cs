using System.Runtime.InteropServices;

namespace Tessera.Linux.Processes;

/// <summary>One user as the name service knows it.</summary>
public sealed record UserAccount(string Name, uint UserId, uint GroupId, string Home);

/// <summary>Users and groups of this machine (getpwnam(3), getgrnam(3)).</summary>
public static unsafe class Accounts
{
    // Room for one entry; a group with more member names than that is read as unknown.
    private const int EntryLength = 64 * 1024;

    public static uint EffectiveUserId => ProcessCalls.geteuid();

    public static uint EffectiveGroupId => ProcessCalls.getegid();

    /// <summary>Null when there is no such user.</summary>
    public static UserAccount? FindUser(string name)
    {
        var buffer = new byte[EntryLength];
        PasswordEntry entry;
        PasswordEntry* found = null;
        fixed (byte* text = ProcessSpawn.Terminated(name))
        fixed (byte* room = buffer)
        {
            int errno = ProcessCalls.getpwnam_r(text, &entry, room, EntryLength, &found);
            return errno == 0 && found is not null ? Read(found) : null;
        }
    }

    /// <summary>Null when no user has this id.</summary>
    public static UserAccount? FindUser(uint id)
    {
        var buffer = new byte[EntryLength];
        PasswordEntry entry;
        PasswordEntry* found = null;
        fixed (byte* room = buffer)
        {
            int errno = ProcessCalls.getpwuid_r(id, &entry, room, EntryLength, &found);
            return errno == 0 && found is not null ? Read(found) : null;
        }
    }

    /// <summary>The id of a group; null when there is no such group.</summary>
    public static uint? FindGroup(string name)
    {
        var buffer = new byte[EntryLength];
        GroupEntry entry;
        GroupEntry* found = null;
        fixed (byte* text = ProcessSpawn.Terminated(name))
        fixed (byte* room = buffer)
        {
            int errno = ProcessCalls.getgrnam_r(text, &entry, room, EntryLength, &found);
            return errno == 0 && found is not null ? found->GroupId : null;
        }
    }

    private static UserAccount Read(PasswordEntry* entry) => new(
        Marshal.PtrToStringUTF8((nint)entry->Name) ?? "",
        entry->UserId,
        entry->GroupId,
        Marshal.PtrToStringUTF8((nint)entry->Home) ?? "");
}
