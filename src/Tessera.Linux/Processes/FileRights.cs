using System.Runtime.InteropServices;

namespace Tessera.Linux.Processes;

/// <summary>
/// As whom one thread meets the file system, while its process stays who it is: setfsuid(2),
/// setfsgid(2). A thread of the super-user that takes the rights of another user loses those that
/// stand above the modes of files, capabilities(7). Immutable.
/// </summary>
public sealed unsafe class FileRights
{
    private const int MaxGroups = 1_024;

    private readonly uint[] _groups;

    private FileRights(uint user, uint group, uint[] groups)
    {
        UserId = user;
        GroupId = group;
        _groups = groups;
    }

    public uint UserId { get; }

    public uint GroupId { get; }

    /// <summary>The rights of a user in a group, and in all others that the user is in.</summary>
    public static FileRights Of(UserAccount user, uint group)
    {
        var groups = new uint[MaxGroups];
        int count = MaxGroups;
        fixed (byte* name = ProcessSpawn.Terminated(user.Name))
        fixed (uint* room = groups)
        {
            int found = ProcessCalls.getgrouplist(name, group, room, &count);
            groups = found < 0 ? [group] : groups[..count];
        }

        return new FileRights(user.UserId, group, groups);
    }

    /// <summary>Gives the calling thread these rights; false when it must not have them.</summary>
    public bool TryTake()
    {
        // libc's setgroups(2) changes all threads of the process, the system call its caller alone.
        nint setGroups = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 159 : 116;
        fixed (uint* groups = _groups)
        {
            if (ProcessCalls.syscall(setGroups, _groups.Length, (nint)groups) < 0)
            {
                return false;
            }
        }

        // Both return who it was before; what does not hold is seen by asking again.
        _ = ProcessCalls.setfsgid(GroupId);
        _ = ProcessCalls.setfsuid(UserId);
        return ProcessCalls.setfsgid(GroupId) == (int)GroupId
            && ProcessCalls.setfsuid(UserId) == (int)UserId;
    }
}
