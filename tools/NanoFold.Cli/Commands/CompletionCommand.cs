using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Completion;
using NanoFold.Engine;
using NanoFold.Engine.Runs;

namespace NanoFold.Cli.Commands;

/// <summary><c>completion</c>: a script that lets a shell complete verbs, options, and values such as presets and keys of settings.</summary>
internal static class CompletionCommand
{
    private static readonly (string Shell, Func<CompletionTree, string> Write)[] s_shells =
        [("bash", PosixScript.ForBash), ("zsh", PosixScript.ForZsh), ("fish", FishScript.Of), ("pwsh", PowerShellScript.Of)];

    public static void Build(VerbCommand command)
    {
        string names = string.Join('|', s_shells.Select(s => s.Shell));
        var shell = new Argument<string>("SHELL") { HelpName = names, Description = "The shell; the script says in its first lines how it is used" };
        command.Add(shell);
        command.Common = [];
        command.JsonKeys = "script";
        command.Does(invocation => Run(invocation, invocation.Get(shell)!));
    }

    private static int Run(Invocation invocation, string shell)
    {
        (string Shell, Func<CompletionTree, string> Write) found = Array.Find(s_shells, s => s.Shell == shell);
        if (found.Shell is null)
        {
            throw UserException.Usage($"completion {shell}: expected one of {string.Join(", ", s_shells.Select(s => s.Shell))}");
        }

        string script = found.Write(new CompletionTree(Program.Whole(), Settings.Read())).ReplaceLineEndings("\n");
        invocation.Output.Text.Write(script);
        invocation.Output.Result(new JsonObject { ["script"] = script });
        return Faults.Done;
    }
}
