using System.CommandLine;
using System.Text;
using NanoFold.Cli.Commands;
using NanoFold.Cli.Commands.Bench;
using NanoFold.Cli.Commands.Chat;
using NanoFold.Cli.Commands.Compare;
using NanoFold.Cli.Commands.Compression;
using NanoFold.Cli.Commands.Interchange;
using NanoFold.Cli.Commands.Live;
using NanoFold.Cli.Commands.Interventions;
using NanoFold.Cli.Commands.Kernels;
using NanoFold.Cli.Commands.Scaling;
using NanoFold.Cli.Commands.Serving;
using NanoFold.Cli.Commands.Surveys;
using NanoFold.Cli.Commands.Words;
using NanoFold.Cli.Running;
using NanoFold.Cli.Writing;
using NanoFold.Engine.Experiments;

namespace NanoFold.Cli;

/// <summary>
/// The command line: a table of verbs, and what they have in common. A program of one's own calls <see cref="Main"/> after it has registered its kinds, and is
/// <c>nanofold</c> with these.
/// </summary>
public static class Program
{
    internal const string Name = "nanofold";

    /// <summary>As it is typed in a hint: the repository's script, the installed tool, or a program of one's own.</summary>
    internal static readonly string Typed = Path.GetFileName(Environment.ProcessPath ?? "").Replace(".exe", "", StringComparison.OrdinalIgnoreCase) is { Length: > 0 } name and not ("dotnet" or "testhost")
        ? name
        : $"./{Name}";

    private const string Help = "help";

    private static readonly Verb[] s_verbs =
    [
        new("train", "Train a model; writes a run folder", TrainCommand.Build),
        new("generate", "Write text with a model", GenerateCommand.Build),
        new("chat", "Talk to a model: its chat template, history, commands", ChatCommand.Build),
        new("serve", "A model by HTTP in the shape of OpenAI's API, many texts at a time", ServeCommand.Build),
        new("eval", "The loss of a model on a text or what its task holds back; its answers to questions", EvalCommand.Build),
        new("geometry", "Measure the residual stream of a run after training, beside controls", GeometryCommand.Build),
        new("neighbors", "The tokens nearest to a word, analogies, and whether relations are directions", NeighborsCommand.Build),
        new("memories", "Feed-forward units as keys and values: what excites them, what they say", MemoriesCommand.Build),
        new("intervene", "Edit points of a model and see what changes, beside random edits of equal size", InterveneCommand.Build),
        new("compare", "Train variants with something held equal, over seeds: tables, files and a page", CompareCommand.Build),
        new("scaling", "Train a grid of sizes and tokens; fit how the loss depends on them", ScalingCommand.Build),
        new("bench", BenchCommand.Description, BenchCommand.Build),
        new("plan", "Parameters, FLOPs and memory of a model, before anything runs", PlanCommand.Build),
        new("profile", "Where a training step's time goes: ops and kernels beside the machine's roofline", ProfileCommand.Build),
        new("settings", "Every key of a configuration: type, default, meaning", SettingsCommand.Build),
        new("tokenizer", "Train a tokenizer; turn text into tokens and back", TokenizerCommand.Build),
        new("data", "What a corpus holds, and what it is as tokens; rows of a task", DataCommand.Build),
        new("report", "A page of figures and tables about a run, several runs or a comparison", ReportCommand.Build),
        new("watch", "The same page in a browser of this machine, with curves as they grow", WatchCommand.Build),
        new("import", "Make a folder of a model of another program, which every verb takes", ImportCommand.Build),
        new("export", "Write a model in the files of another program", ExportCommand.Build),
        new("compress", "Compress a file by what a model predicts, or one that learns meanwhile", CompressCommand.Build),
        new("decompress", "The file as it was, of what compress wrote", DecompressCommand.Build),
        new("devices", "The devices that can compute", DevicesCommand.Build),
        new("kernels", "The programs of CUDA devices as PTX: written, checked, and what an assembler makes of them", KernelsCommand.Build),
        new("completion", "A script for bash, zsh, fish or pwsh that completes verbs, options and settings", CompletionCommand.Build),
        new(Help, "What a verb does and takes: help VERB is VERB --help", BuildHelp),
    ];

    /// <summary>Runs a command line on the console and returns its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.</summary>
    public static int Main(string[] args)
    {
        if (OperatingSystem.IsWindows())
        {
            Console.OutputEncoding = Encoding.UTF8;
        }

        StandardStreams.TakeOver();
        return Run(args, Console.Out, Console.Error);
    }

    /// <summary>Runs a command line and returns its exit code, see <see cref="Main"/>.</summary>
    /// <param name="args">Verb and options.</param>
    /// <param name="standard">Where results go.</param>
    /// <param name="error">Where notes and errors go.</param>
    public static int Run(string[] args, TextWriter standard, TextWriter error)
    {
        if (RunChild.IsAsked())
        {
            // Whatever the words are: they are those of the program that started this one.
            return RunSets.Child();
        }

        int code;
        try
        {
            code = Dispatch(args, standard, error);
        }
        catch (OutputException)
        {
            code = Faults.Failed;
        }
        catch (Exception exception)
        {
            code = Faults.Report(exception, error);
        }

        if (LostOutput.Last is not { } lost)
        {
            return code;
        }

        if (lost.Message is not null)
        {
            Output.Note(error, lost.Message);
        }

        // A closed terminal is told by a signal too.
        return code > 128 ? code : lost.Code;
    }

    private static int Dispatch(string[] args, TextWriter standard, TextWriter error)
    {
        if (args is [Help, .. { } asked])
        {
            // What is no verb is said to be none.
            args = asked is [] || Array.Exists(s_verbs, verb => verb.Name == asked[0]) ? [.. asked, "--help"] : asked;
        }

        RootCommand root = Root(args);
        ParseResult parsed = root.Parse(args, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
        if (Usage.Problems(root, parsed) is { Count: > 0 } problems)
        {
            foreach (string problem in problems)
            {
                Output.Note(error, problem);
            }

            Output.Note(error, $"see '{Usage.PathOf(parsed.CommandResult.Command)} --help'");
            return Faults.WrongUsage;
        }

        var streams = new InvocationConfiguration { Output = standard, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        return parsed.Invoke(streams);
    }

    /// <summary>The command line with all options of every verb.</summary>
    internal static RootCommand Whole() => Root([]);

    // It is never parsed: what follows is taken for the verb that is asked about.
    private static void BuildHelp(VerbCommand command)
    {
        command.Common = [];
        command.Add(new Argument<string>("VERB") { Description = "The verb, with its part where it has parts", Arity = ArgumentArity.ZeroOrOne });
    }

    // Where the first word is a verb, only that one gets its options: the others are there to be listed.
    private static RootCommand Root(string[] args)
    {
        var root = new RootCommand("A transformer engine from scratch: trains, compares, profiles and measures small models.");
        CommonOptions.AddTo(root);
        VerbHelp.AddTo(root);
        Verb? named = args.Length > 0 ? Array.Find(s_verbs, verb => verb.Name == args[0]) : null;
        foreach (Verb verb in s_verbs)
        {
            root.Add(verb.ToCommand(complete: named is null || named == verb));
        }

        return root;
    }
}
