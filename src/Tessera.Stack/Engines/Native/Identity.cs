using System.Globalization;
using Tessera.Linux.Processes;

namespace Tessera.Stack.Engines.Native;

/// <summary>The user and group an instance runs as, where they are not the daemon's own.</summary>
/// <param name="Account">Null for a user id that no account has.</param>
/// <param name="HasOwnGroup">The group was named, so the account's further groups do not
/// apply.</param>
internal sealed record Identity(uint UserId, uint GroupId, UserAccount? Account, bool HasOwnGroup)
{
    /// <summary>The wrapper's words in front of the command (setpriv(1)).</summary>
    /// <param name="program">Absolute path of setpriv.</param>
    public IEnumerable<string> CreateWords(string program) =>
    [
        program,
        string.Create(CultureInfo.InvariantCulture, $"--reuid={UserId}"),
        string.Create(CultureInfo.InvariantCulture, $"--regid={GroupId}"),
        Account is not null && !HasOwnGroup ? "--init-groups" : "--clear-groups",
        "--",
    ];

    /// <param name="user"><c>user[:group]</c>, names or numbers; null is the daemon's own.</param>
    /// <exception cref="StartFailedException">Unknown, or the daemon may not become it.</exception>
    public static Identity? Resolve(string? user)
    {
        if (string.IsNullOrEmpty(user))
        {
            return null;
        }

        string[] words = user.Split(':', 2);
        bool isNumber = uint.TryParse(
            words[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint userId);
        UserAccount? account = isNumber ? Accounts.FindUser(userId) : Accounts.FindUser(words[0]);
        if (account is null && !isNumber)
        {
            throw new StartFailedException($"user '{words[0]}': no such user on this machine");
        }

        userId = account?.UserId ?? userId;
        uint groupId = words.Length == 2 ? ResolveGroup(words[1]) : account?.GroupId ?? userId;
        if (userId == Accounts.EffectiveUserId && groupId == Accounts.EffectiveGroupId)
        {
            return null;
        }

        return Accounts.EffectiveUserId == 0
            ? new Identity(userId, groupId, account, HasOwnGroup: words.Length == 2)
            : throw new StartFailedException(
                $"user '{user}': only a daemon that runs as root can start processes as another "
                + "user");
    }

    private static uint ResolveGroup(string group)
    {
        if (uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
        {
            return id;
        }

        return Accounts.FindGroup(group)
            ?? throw new StartFailedException($"group '{group}': no such group on this machine");
    }
}
