using System.Text;

namespace NanoFold.Cli.Completion;

/// <summary>Completion in PowerShell: tables, and a block that looks words up in them. Files are the shell's own.</summary>
internal static class PowerShellScript
{
    private const string Completer = """
        Register-ArgumentCompleter -Native -CommandName nanofold, nanofold.cmd -ScriptBlock {
            param($wordToComplete, $commandAst, $cursorPosition)
            $path = ''
            $previous = ''
            foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
                if ($element.Extent.EndOffset -ge $cursorPosition) { break }
                $previous = $element.ToString()
                if ($nanofoldParts[$path] -ccontains $previous) { $path = "$path $previous".Trim() }
            }
            $word = $wordToComplete
            $prefix = ''
            if ($word -match '^(--[a-z-]+)=(.*)$') {
                $previous = $Matches[1]
                $prefix = "$previous="
                $word = $Matches[2]
            }
            $found = $nanofoldValues["$path $previous"]
            if ($found -ceq 'SETTING') {
                if ($word -match '^([^=]+)=(.*)$') {
                    $key = $Matches[1]
                    $found = $nanofoldSettings[$key] | ForEach-Object { "$key=$_" }
                } else {
                    $found = $nanofoldKeys | ForEach-Object { "$_=" }
                }
            } elseif ($null -eq $found) {
                $found = if ($word.StartsWith('-')) { $nanofoldOptions[$path] } else { @($nanofoldParts[$path]) + @($nanofoldValues[$path]) }
                if ($found -ccontains 'KEY') { $found = $nanofoldKeys }
            }
            $found | Where-Object { $_ -and $_ -cnotin 'FILES', 'ANY' -and $_.StartsWith($word) } | ForEach-Object {
                [System.Management.Automation.CompletionResult]::new("$prefix$_", $_, 'ParameterValue', $_)
            }
        }

        """;

    public static string Of(CompletionTree tree)
    {
        var text = new StringBuilder($"# Completion of {Program.Name} in PowerShell:  {Program.Name} completion pwsh | Out-String | Invoke-Expression\n");
        Table(text, "Parts", tree.Commands.Where(c => c.Parts.Count > 0).Select(c => (c.Path, c.Parts.Select(part => part.Name))));
        Table(text, "Options", tree.Commands.Select(c => (c.Path, c.Options.SelectMany(option => option.Names))));
        Table(text, "Values", tree.Commands.SelectMany(command =>
            command.Options.Where(option => option.Kind != ValueKind.None)
                .SelectMany(option => option.Names.Select(name => ($"{command.Path} {name}", Words(option.Kind, option.Words))))
                .Concat(command.Argument == ValueKind.None ? [] : [(command.Path, Words(command.Argument, command.Words))])));
        Table(text, "Settings", tree.Settings.Where(s => s.Values.Count > 0).Select(s => (s.Key, s.Values.AsEnumerable())));
        text.Append($"$nanofoldKeys = {List(tree.Settings.Select(s => s.Key))}\n");
        return text.Append(Completer).ToString();
    }

    private static IEnumerable<string> Words(ValueKind kind, IReadOnlyList<string> words) => kind == ValueKind.Words ? words : [kind.ToString().ToUpperInvariant()];

    private static void Table(StringBuilder text, string name, IEnumerable<(string Key, IEnumerable<string> Words)> rows)
    {
        text.Append($"$nanofold{name} = @{{\n");
        foreach ((string key, IEnumerable<string> words) in rows)
        {
            text.Append($"    '{key}' = {List(words)}\n");
        }

        text.Append("}\n");
    }

    private static string List(IEnumerable<string> words) => $"@({string.Join(", ", words.Select(word => $"'{word}'"))})";
}
