namespace Tessera.Proxy.Scripts;

/// <summary>
/// What the steps of a script leave to the next ones (ngx_http_script_engine_t). Lives on the stack
/// of one run.
/// </summary>
internal struct ScriptCourse
{
    /// <summary>
    /// The path was rewritten, and asks for a location of its own; a break takes it back
    /// (ngx_http_script_break_code).
    /// </summary>
    public bool NeedsLocation;

    /// <summary>
    /// Until a rewrite has been done, groups are escaped wherever they are named, if the client
    /// escaped anything in its path (nginx's quote).
    /// </summary>
    public bool EscapesGroups;
}
