using System.Text;

namespace NanoFold.Cli.Completion;

/// <summary>Completion in fish: a line for each option of each command.</summary>
internal static class FishScript
{
    public static string Of(CompletionTree tree)
    {
        var text = new StringBuilder();
        text.Append(
            $$"""
            # Completion of {{Program.Name}} in fish:  {{Program.Name}} completion fish | source
            function __nanofold_path
                set -l path
                for word in (commandline -opc)[2..]
                    if contains -- "$path $word" {{string.Join(' ', tree.Commands.Skip(1).Select(command => Quoted($" {command.Path}")))}}
                        set path "$path $word"
                    end
                end
                echo "$path"
            end

            function __nanofold_at
                test (__nanofold_path) = "$argv[1]"
            end

            function __nanofold_keys
                printf '%s\n' {{string.Join(' ', tree.Settings.Select(setting => setting.Key))}}
            end

            function __nanofold_settings
                switch (commandline -ct)
            {{string.Concat(tree.Settings.Where(setting => setting.Values.Count > 0).Select(setting => $"        case '{setting.Key}=*' '--set={setting.Key}=*'\n            printf '{setting.Key}=%s\\n' {string.Join(' ', setting.Values.Select(Quoted))}\n"))}}        case '*'
                        printf '%s=\n' (__nanofold_keys)
                end
            end

            complete -c {{Program.Name}} -f

            """);
        foreach (CompletionCommand command in tree.Commands)
        {
            string at = $"complete -c {Program.Name} -n {Quoted($"__nanofold_at '{(command.Path.Length == 0 ? "" : $" {command.Path}")}'")}";
            foreach ((string name, string meaning) in command.Parts)
            {
                text.Append($"{at} -a {Quoted(name)} -d {Quoted(meaning)}\n");
            }

            text.Append(Argument(command) is { } argument ? $"{at} {argument}\n" : "");
            foreach (CompletionOption option in command.Options)
            {
                text.Append($"{at} {string.Join(' ', option.Names.Select(Name))}{Value(option.Kind, option.Words)} -d {Quoted(option.Meaning)}\n");
            }
        }

        return text.ToString();
    }

    private static string Name(string name) => name.StartsWith("--", StringComparison.Ordinal) ? $"-l {name[2..]}" : $"-s {name[1..]}";

    private static string? Argument(CompletionCommand command) => command.Argument switch
    {
        ValueKind.Files => "-F",
        ValueKind.Key => "-a '(__nanofold_keys)'",
        ValueKind.Words => $"-a {Quoted(string.Join(' ', command.Words))}",
        _ => null,
    };

    private static string Value(ValueKind kind, IReadOnlyList<string> words) => kind switch
    {
        ValueKind.None => "",
        ValueKind.Files => " -r -F",
        ValueKind.Words => $" -x -a {Quoted(string.Join(' ', words))}",
        ValueKind.Setting => " -x -a '(__nanofold_settings)'",
        _ => " -x",
    };

    private static string Quoted(string text) => $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
