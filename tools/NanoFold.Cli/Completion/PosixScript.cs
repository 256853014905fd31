using System.Text;

namespace NanoFold.Cli.Completion;

/// <summary>Completion in bash and zsh: the same tables as <c>case</c> statements, and what asks them in each shell.</summary>
internal static class PosixScript
{
    // The path of verbs so far, and what belongs to the word under the cursor. Sets: reply (candidates), kind (words, keys, or files).
    private const string Shared = """
        _nanofold_find() {
            local path="" word previous=$2 current=$1 key
            shift 2
            for word in "$@"; do
                case " $(_nanofold_parts "$path") " in
                    *" $word "*) path="${path:+$path }$word" ;;
                esac
            done
            kind=words
            case $current in
                --*=*)
                    previous=${current%%=*}
                    current=${current#*=}
                    ;;
            esac
            reply=$(_nanofold_values "$path $previous")
            case $reply in
                FILES) reply="" kind=files ;;
                SETTING)
                    case $current in
                        *=*) key=${current%%=*} reply=$(_nanofold_setting "$key") ;;
                        *) reply=$(_nanofold_keys) kind=keys ;;
                    esac
                    ;;
                ANY) reply="" ;;
                "")
                    case $current in
                        -*) reply=$(_nanofold_options "$path") ;;
                        *)
                            reply="$(_nanofold_parts "$path") $(_nanofold_values "$path")"
                            case $reply in
                                *FILES*) reply="" kind=files ;;
                                *KEY*) reply=$(_nanofold_keys) ;;
                                *ANY*) reply="" ;;
                            esac
                            ;;
                    esac
                    ;;
            esac
        }

        """;

    private const string Bash = """
        _nanofold() {
            local line=${COMP_LINE:0:COMP_POINT} current="" previous="" reply kind
            local -a words
            read -ra words <<< "$line"
            case $line in
                *[[:space:]]) ;;
                *)
                    current=${words[${#words[@]}-1]}
                    words=("${words[@]:0:${#words[@]}-1}")
                    ;;
            esac
            previous=${words[${#words[@]}-1]}
            _nanofold_find "$current" "$previous" "${words[@]:1}"
            # What readline replaces begins after the last = where that separates words.
            case $current in
                --*=*) [[ $kind == files ]] || current=${current#*=} ;;
            esac
            local prefix=""
            case $current in
                *=*)
                    prefix=${current%%=*}=
                    current=${current#*=}
                    ;;
            esac
            [[ $COMP_WORDBREAKS == *=* ]] && prefix=""
            # In a form that bash 3.2 knows too; file names may hold spaces.
            local IFS=$'\n'
            reply=${reply// /$IFS}
            if [[ $kind == files ]]; then
                compopt -o filenames 2> /dev/null
                COMPREPLY=($(compgen -f -- "$current"))
            elif [[ $kind == keys ]]; then
                compopt -o nospace 2> /dev/null
                COMPREPLY=($(compgen -W "$reply" -S = -- "$current"))
            else
                COMPREPLY=($(compgen -P "$prefix" -W "$reply" -- "$current"))
            fi
        }
        complete -F _nanofold nanofold

        """;

    private const string Zsh = """
        _nanofold() {
            local current=$PREFIX previous=${words[CURRENT-1]} reply kind
            _nanofold_find "$current" "$previous" "${(@)words[2,CURRENT-1]}"
            case $current in
                *=*) compset -P '*=' ;;
            esac
            case $kind in
                files) _files ;;
                keys) compadd -S = -- ${=reply} ;;
                *) compadd -- ${=reply} ;;
            esac
        }
        compdef _nanofold nanofold

        """;

    public static string ForBash(CompletionTree tree)
        => $"# Completion of {Program.Name} in bash:  source <({Program.Name} completion bash)\n\n{Tables(tree)}{Shared}\n{Bash}";

    public static string ForZsh(CompletionTree tree)
        => $"#compdef {Program.Name}\n# Completion of {Program.Name} in zsh, after compinit:  source <({Program.Name} completion zsh)\n\n{Tables(tree)}{Shared}\n{Zsh}";

    private static string Tables(CompletionTree tree)
    {
        var text = new StringBuilder();
        Table(text, "parts", tree.Commands.Where(c => c.Parts.Count > 0).Select(c => (c.Path, string.Join(' ', c.Parts.Select(part => part.Name)))));
        Table(text, "options", tree.Commands.Select(c => (c.Path, string.Join(' ', c.Options.SelectMany(option => option.Names)))));
        Table(text, "values", tree.Commands.SelectMany(Values));
        Table(text, "setting", tree.Settings.Where(s => s.Values.Count > 0).Select(s => (s.Key, string.Join(' ', s.Values))));
        text.Append($"_nanofold_keys() {{\n    echo '{string.Join(' ', tree.Settings.Select(s => s.Key))}'\n}}\n\n");
        return text.ToString();
    }

    // After an option of a command, and where an argument of it stands.
    private static IEnumerable<(string, string)> Values(CompletionCommand command) =>
    [
        .. command.Options.Where(option => option.Kind != ValueKind.None)
            .SelectMany(option => option.Names.Select(name => ($"{command.Path} {name}", Values(option.Kind, option.Words)))),
        .. command.Argument == ValueKind.None ? [] : new[] { (command.Path, Values(command.Argument, command.Words)) },
    ];

    private static string Values(ValueKind kind, IReadOnlyList<string> words) => kind == ValueKind.Words ? string.Join(' ', words) : kind.ToString().ToUpperInvariant();

    private static void Table(StringBuilder text, string name, IEnumerable<(string Key, string Words)> rows)
    {
        text.Append($"_nanofold_{name}() {{\n    case $1 in\n");
        foreach ((string key, string words) in rows)
        {
            text.Append($"        '{key}') echo '{words}' ;;\n");
        }

        text.Append("    esac\n}\n\n");
    }
}
