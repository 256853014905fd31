using System.CommandLine;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Runs.Surveys;

namespace NanoFold.Cli.Commands.Surveys;

/// <summary>The options that say what is measured of a model, and on what.</summary>
internal sealed class SurveyChoices(VerbCommand command)
{
    private readonly Option<string?> _data = command.Text("--data", "PATH", "A file, folder or pattern of text in place of the run's own");
    private readonly Option<string?> _prompt = command.Text("--prompt", "TEXT", "A text of one row in place of it");
    private readonly Option<bool> _special = command.Flag(Prompts.ParseSpecial, Prompts.ParseSpecialHelp);
    private readonly Option<string?> _task = command.Text("--task", "NAME", "Another task than the one that the run was trained on");
    private readonly Option<string[]> _set = command.Texts("--set", "KEY=VALUE", "A setting of the task, such as task.pairs=8; may be given several times");
    private readonly Option<string?> _measures = command.Text("--measures", "LIST", "all (if not given), full, light, or kinds with commas such as twonn,cka; or JSON as in geometry.measures");
    private readonly Option<string?> _preset = command.Text("--preset", "NAME", "The same as --measures: all, full or light");
    private readonly Option<string?> _word = command.Text("--word", "WORD", "A word that is looked at in two sets of contexts, through the layers; alone unless --measures names more");
    private readonly Option<string?> _contexts = command.Text("--contexts", "A,B", "Two files with contexts of --word, one a line");
    private readonly Option<string?> _checkpoints = command.Text("--checkpoints", "all|last|STEPS", "Which checkpoints of the run, such as 500,1000; all if not given");
    private readonly Option<string[]?> _controls = command.Names("--controls", "What figures of the last checkpoint are held against: untrained, shuffled, gaussian; all of them if not given", [.. s_controls, None]);
    private readonly Option<string?> _labels = command.Text("--labels", "FILE", "Labels of the tokens of --data or --prompt: tabs between columns, the first token or byte");
    private readonly Option<string?> _against = command.Text("--against", "MODEL", "Another run or checkpoint to compare with");
    private readonly Option<string?> _dump = command.Text("--dump", "GLOB", "Also write the activations at these points, such as 'blocks.*.hook_resid_post', as safetensors and npz");
    private readonly Option<long?> _tokens = command.Integer("--tokens", "Tokens whose stream is measured; as many as in training if not given", 16, 1 << 24);
    private readonly Option<long?> _neighbors = command.Integer("--neighbors", "Those of them whose nearest neighbors are searched", 16, 1 << 16);
    private readonly TextOptions _reading = new(command);

    private const string None = "none";

    private static readonly string[] s_controls = ["untrained", "shuffled", "gaussian"];

    /// <summary>What was asked for.</summary>
    /// <exception cref="UserException">It cannot be understood.</exception>
    public SurveyOptions Read(Invocation invocation)
    {
        if (invocation.Get(_measures) is not null && invocation.Get(_preset) is not null)
        {
            throw UserException.Usage("--measures and --preset: give one of them");
        }

        if (invocation.Get(_preset) is { } preset && MeasurePresets.Find(preset) is null)
        {
            throw UserException.Usage($"--preset {preset}: expected all, full or light");
        }

        string[] controls = invocation.Get(_controls) is { Length: > 0 } given ? given : s_controls;
        ContextMeasure? contexts = Contexts(invocation.Get(_word), invocation.Get(_contexts));
        string? chosen = invocation.Get(_measures) ?? invocation.Get(_preset);
        IReadOnlyList<Measure> measures = contexts is not null && chosen is null ? [] : MeasureChoice.Parse(chosen ?? MeasurePresets.Every);
        measures = contexts is null ? measures : [.. measures.Where(measure => measure is not ContextMeasure), contexts];
        if (measures.Count == 0 && invocation.Get(_dump) is null)
        {
            throw UserException.Usage("--measures: names none, and there is no --dump, so there is nothing to do");
        }

        return new SurveyOptions
        {
            Measures = measures,
            Data = invocation.Get(_data),
            Reading = _reading.Reading(invocation),
            Prompt = invocation.Get(_prompt),
            ParseSpecial = invocation.Get(_special),
            TaskSettings = [.. invocation.Get(_task) is { } task ? [$"task={task}"] : Array.Empty<string>(), .. invocation.Get(_set) ?? []],
            Checkpoints = invocation.Get(_checkpoints) ?? "all",
            Controls = [.. controls.Where(name => name != None).Select(name => Enum.Parse<SurveyControl>(name, ignoreCase: true))],
            Labels = invocation.Get(_labels),
            Against = invocation.Get(_against),
            Dump = invocation.Get(_dump),
            Tokens = (int?)invocation.Get(_tokens),
            Neighbors = (int?)invocation.Get(_neighbors),
            Seed = (ulong)(invocation.Seed ?? 1),
        };
    }

    private static ContextMeasure? Contexts(string? word, string? files)
    {
        if (word is null && files is null)
        {
            return null;
        }

        if (word is null || files?.Split(',', StringSplitOptions.TrimEntries) is not [{ Length: > 0 } first, { Length: > 0 } second])
        {
            throw UserException.Usage("--word and --contexts: give both, a word and two files with a comma between them");
        }

        var measure = new ContextMeasure { Word = word, First = first, Second = second };
        return measure.Validate("--contexts").FirstOrDefault() is { } problem ? throw UserException.Usage($"--contexts: {problem.Message}") : measure;
    }
}
