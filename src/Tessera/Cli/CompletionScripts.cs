namespace Tessera.Cli;

/// <summary>
/// What shells read once. All of them ask <c>tessera complete</c> for candidates (one a line, with
/// a tab before its description), and complete file names where it has none.
/// </summary>
internal static class CompletionScripts
{
    public const string Bash =
        """
        # bash completion for tessera
        _tessera() {
            local IFS=$'\n' line
            COMPREPLY=()
            for line in $("${COMP_WORDS[0]}" complete --position "$COMP_CWORD" \
                -- "${COMP_WORDS[@]:1}" 2>/dev/null); do
                COMPREPLY+=("${line%%$'\t'*}")
            done
            # "web=" wants its number next, without a space.
            if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
                compopt -o nospace 2>/dev/null
            fi
        }
        complete -o default -F _tessera tessera

        """;

    public const string Zsh =
        """
        #compdef tessera
        # zsh completion for tessera
        _tessera() {
            local line
            local -a candidates
            for line in "${(@f)$("${words[1]}" complete --position $((CURRENT - 1)) \
                -- "${(@)words[2,-1]}" 2>/dev/null)}"; do
                [[ -z $line ]] && continue
                candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
            done
            if (( ${#candidates} )); then
                _describe 'tessera' candidates
            else
                _files
            fi
        }
        compdef _tessera tessera

        """;

    public const string Fish =
        """
        # fish completion for tessera
        function __tessera_complete
            set -l words (commandline -opc) (commandline -ct)
            set -l found ($words[1] complete --position (math (count $words) - 1) \
                -- $words[2..-1] 2>/dev/null)
            if test (count $found) -gt 0
                printf '%s\n' $found
            else
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c tessera -f -a '(__tessera_complete)'

        """;
}
