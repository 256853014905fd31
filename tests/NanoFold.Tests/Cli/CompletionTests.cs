using System.ComponentModel;
using System.Diagnostics;
using NanoFold.Cli;
using NanoFold.Cli.Commands.Bench;
using NanoFold.Cli.Completion;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Cli;

/// <summary>The scripts of <c>completion</c>, asked in their shells where these are installed.</summary>
public class CompletionTests
{
    // A line up to the cursor, and what may stand there.
    private static readonly (string Line, string[] Expected)[] s_lines =
    [
        ("nanofold tr", ["train"]),
        ("nanofold bench ge", ["gemm"]),
        ("nanofold --json bench ", [.. BenchCommand.Parts.Order(StringComparer.Ordinal)]),
        ("nanofold train --prec", ["--precision"]),
        ("nanofold train --preset ", ["gpt2", "nano", "small"]),
        ("nanofold plan --device c", ["cpu", "cuda"]),
        ("nanofold train --set train.l", ["train.learningRate=", "train.logEvery="]),
        ("nanofold settings train.l", ["train.learningRate", "train.logEvery"]),
        ("nanofold completion ", ["bash", "fish", "pwsh", "zsh"]),
        ("nanofold help gen", ["generate"]),
        ("nanofold generate --temperature ", []),
        ("nanofold data corpus --st", ["--strict"]),
    ];

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void Bash()
    {
        // = separates words there, so that only what follows it is completed.
        (string, string[])[] lines = [.. s_lines, ("nanofold train --set model.norm=", ["layer", "rms"]), ("nanofold train --preset=n", ["nano"])];
        Assert.That(
            Ask("bash", "COMP_LINE='{0}' COMP_POINT=${#COMP_LINE}; COMPREPLY=(); _nanofold; echo \"${COMPREPLY[*]}\" | tr '\\n' ' '; echo\n", lines, "--norc"),
            Is.EqualTo(lines.Select(Text)));
    }

    [Test]
    public void Zsh()
    {
        (string, string[])[] lines = [.. s_lines, ("nanofold train --set model.norm=", ["layer", "rms"])];
        Assert.That(
            Ask("zsh", "typeset -a words; words=(${{=:-{0}}}); last=${{words[-1]}}; [[ '{0}' == *' ' ]] && last='' || words[-1]=(); _nanofold_find \"$last\" \"${{words[-1]}}\" \"${{(@)words[2,-1]}}\"; for r in ${{=reply}}; do [[ $kind == keys ]] && r=$r=; [[ $r == ${{last##*=}}* ]] && echo -n \"$r \"; done; echo\n".Replace("{{", "{", StringComparison.Ordinal).Replace("}}", "}", StringComparison.Ordinal), lines, "-f", "compdef() {}\n"),
            Is.EqualTo(lines.Select(Text)));
    }

    [Test]
    public void Fish()
    {
        (string, string[])[] lines = [.. s_lines, ("nanofold train --set model.norm=", ["model.norm=layer", "model.norm=rms"])];
        Assert.That(
            Ask("fish", "echo (complete -C '{0}' | string split -f1 \\t)\n", lines, "--no-config"),
            Is.EqualTo(lines.Select(Text)));
    }

    [Test]
    public void PowerShell()
    {
        (string, string[])[] lines = [.. s_lines, ("nanofold train --set model.norm=", ["model.norm=layer", "model.norm=rms"])];
        Assert.That(
            Ask("pwsh", "$line = '{0}'; \"$(([System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null).CompletionMatches | ForEach-Object CompletionText | Where-Object { -not (Test-Path $_) }) -join ' ')\"\n", lines, "-NoProfile"),
            Is.EqualTo(lines.Select(Text)));
    }

    [Test]
    public void EveryVerbAndSettingIsInTheTree()
    {
        var tree = new CompletionTree(Program.Whole(), Settings.Read());
        Assert.That(tree.Commands[0].Parts.Select(part => part.Name), Is.SupersetOf(new[] { "train", "generate", "completion", "help" }));
        Assert.That(tree.Commands.Single(c => c.Path == "bench gemm").Options.Single(o => o.Names.Contains("--preset")).Words, Is.EqualTo(Presets.Names));
        Assert.That(tree.Commands.Single(c => c.Path == "generate").Options.Single(o => o.Names.Contains("--model")).Kind, Is.EqualTo(ValueKind.Files));
        Assert.That(tree.Settings.Single(s => s.Key == "model.tied").Values, Is.EqualTo(new[] { "true", "false" }));
        Assert.That(tree.Settings.Single(s => s.Key == "model.mixer").Values, Does.Contain("sliding-window"));
    }

    [Test]
    public void AnUnknownShellIsWrongUsage()
    {
        CommandLine run = CommandLine.Run("completion", "ksh");
        Assert.That((run.Code, run.Error), Is.EqualTo((2, "nanofold: completion ksh: expected one of bash, zsh, fish, pwsh\n")));
    }

    // Sorted, for shells do as they like.
    private static string Text((string Line, string[] Expected) line) => $"{line.Line}: {string.Join(' ', line.Expected)}";

    private string[] Ask(string shell, string question, (string Line, string[] Expected)[] lines, string option, string before = "")
    {
        string script = _folder["script." + (shell == "pwsh" ? "ps1" : shell)];
        File.WriteAllText(script, $"{before}{CommandLine.Run("completion", shell).Standard}\n{string.Concat(lines.Select(line => question.Replace("{0}", line.Line, StringComparison.Ordinal)))}");
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(shell, [option, script]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder.Path })!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string[] answers = process.StandardOutput.ReadToEnd().Split('\n')[..^1];
            Assert.That(error.Result, Is.Empty);
            return [.. lines.Zip(answers, (line, answer) => $"{line.Line}: {string.Join(' ', answer.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal))}")];
        }
        catch (Win32Exception)
        {
            Assert.Ignore($"{shell} is not installed");
            return [];
        }
    }
}
