using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Cli;

/// <summary>The options that describe a training run, and the configuration that they make.</summary>
internal sealed class TrainOptions
{
    private const string Auto = "auto", TaskKey = "task", TaskIs = $"{TaskKey}=";

    private readonly Option<string?> _preset;
    private readonly Option<string?>? _config;
    private readonly Option<bool> _strict;
    private readonly Option<string?>? _out;
    private readonly Option<string?> _resume;
    private readonly Option<string[]> _set = new("--set") { HelpName = "KEY=VALUE", Description = "Any setting, such as model.layers=6; may be given several times" };
    private readonly (Option<string?> Option, string Key)[] _keyed;

    /// <param name="command">Gets the options, but for those of which it has one of its own that means something else.</param>
    /// <param name="without">Names of those that mean nothing to it: they are taken, so that one command line serves several verbs, and not listed.</param>
    public TrainOptions(VerbCommand command, params string[] without)
    {
        string[] own = [.. command.Options.Select(option => option.Name)];
        Option<string?>? Add(string name, string helpName, string description) => own.Contains(name) ? null : command.Text(name, helpName, description);
        (Option<string?>, string)[] Keyed(string name, string helpName, string description, string key) => Add(name, helpName, description) is { } option ? [(option, key)] : [];
        _preset = command.Text("--preset", string.Join('|', Presets.Names), "The model and training to begin with; nano if not given");
        _config = Add("--config", "FILE", "Settings in JSON, with comments");
        _keyed =
        [
            (command.Text("--task", "NAME", $"What is learned: {string.Join(", ", Variant.Of<TaskConfig>().Select(task => task.Kind))} (task)"), TaskKey),
            (command.Text("--data", "PATH", "A file, folder or pattern of text, or - for standard input (data.path)"), "data.path"),
            (command.Text("--separator", "TEXT", TextOptions.SeparatorHelp), "data.separator"),
            (command.Text("--field", "NAME", TextOptions.FieldHelp), "data.field"),
            (command.Text("--init", "MODEL", "Begin with the weights, model and tokenizer of a run (its best checkpoint), a checkpoint or a folder with a model (train.init)"), "train.init"),
            (command.Text("--steps", "N", "Optimizer steps (train.steps)"), "train.steps"),
            .. Keyed("--tokens", "N", "End after so many tokens (train.tokens)", "train.tokens"),
            (command.Text("--flops", "N", "End after so many FLOPs, such as 1e15 (train.flops)"), "train.flops"),
            .. Keyed("--minutes", "M", "End within so many minutes, the steps fitted to them; with --steps at whichever comes first (train.minutes)", "train.minutes"),
            (command.Text("--batch", "N|auto", "Sequences per micro-batch (train.batch)"), "train.batch"),
            (command.Text("--context", "N", "Tokens per sequence (model.context)"), "model.context"),
            .. Keyed("--precision", "fp32|tf32|bf16|fp16", "What activations are computed in; tf32 and fp16 need a GPU (train.precision)", "train.precision"),
        ];
        _strict = command.Flag("--strict", TextOptions.StrictHelp);
        command.Add(_set);
        _out = Add("--out", "DIR", "The run's folder");
        _resume = command.Text("--resume", without.Contains("--out") ? "RUN" : "RUN|auto", without.Contains("--out")
            ? "Take the settings of the run in this folder, or of this checkpoint of it"
            : "Take up the run in this folder again, or at this checkpoint of it; auto: the run in --out if there is one, or else begin it");
        foreach (Option option in command.Options.Where(option => without.Contains(OfGroup(option.Name, own))))
        {
            option.Hidden = true;
        }
    }

    // Options that mean something to a verb together or not at all.
    private static string OfGroup(string option, string[] own) => TextOptions.Names.Contains(option) ? "--data"
        : option == "--flops" || (option == "--tokens" && !own.Contains(option)) ? "--minutes"
        : option;

    /// <summary>The folder named by <c>--out</c>, or null.</summary>
    public string? Out(Invocation invocation) => _out is null ? null : invocation.Get(_out);

    /// <summary>The preset named by <c>--preset</c>, or null.</summary>
    public string? Preset(Invocation invocation) => invocation.Get(_preset);

    /// <summary>The run to go on with: what <c>--resume</c> names, with <c>auto</c> the one in <c>--out</c>; null where a run is to begin.</summary>
    public string? Resume(Invocation invocation)
    {
        if (!IsAuto(invocation))
        {
            return invocation.Get(_resume);
        }

        string folder = Out(invocation) ?? throw UserException.Usage("--resume auto goes on with the run in --out, or begins it there; name the folder with --out");
        return File.Exists(Path.Combine(folder, RunConfig.FileName)) ? folder : null;
    }

    /// <summary>The steps named by <c>--steps</c>, or null; a benchmark's own otherwise.</summary>
    public int? Steps(Invocation invocation) => invocation.Get(_keyed.First(k => k.Key == "train.steps").Option) is null ? null : Config(invocation).Train.Steps;

    /// <summary>The batch named by <c>--batch</c>, 0 for auto, or null; a benchmark's own otherwise.</summary>
    public int? Batch(Invocation invocation) => invocation.Get(_keyed.First(k => k.Key == "train.batch").Option) is null ? null : Config(invocation).Train.Batch;

    /// <summary>The configuration: preset, then file, then settings, then the other options.</summary>
    /// <param name="invocation">What was given.</param>
    /// <param name="more">Settings laid over all of that, such as <c>model.width=64</c>.</param>
    /// <exception cref="UserException">It has problems, or the options do not go together.</exception>
    public RunConfig Config(Invocation invocation, params IReadOnlyList<string> more)
        => Config(invocation, null, more);

    /// <summary>The same for a task that the verb takes the name of.</summary>
    /// <exception cref="UserException">It has problems, or the options do not go together.</exception>
    public RunConfig ConfigOf(string task, Invocation invocation) => Config(invocation, task, []);

    /// <summary>What the options set, <c>model.layers=6</c>, in the order in which it counts.</summary>
    /// <param name="invocation">What was given.</param>
    /// <param name="resumes">Whether a run goes on, whose first weights were there when it began.</param>
    /// <exception cref="UserException">A limit is 0.</exception>
    public IReadOnlyList<string> Settings(Invocation invocation, bool resumes = false)
    {
        var given = _keyed.Select(keyed => (keyed.Option, keyed.Key, Text: invocation.Get(keyed.Option))).Where(keyed => keyed.Text is not null).ToArray();
        foreach (var keyed in given.Where(keyed => keyed.Key is "train.minutes" or "train.tokens" or "train.flops"))
        {
            if (double.TryParse(keyed.Text, CultureInfo.InvariantCulture, out double limit) && limit == 0)
            {
                throw UserException.Usage($"{keyed.Option.Name} {keyed.Text}: expected more than 0");
            }
        }

        // Which task it is comes before what is set of it.
        return
        [
            .. given.Where(keyed => keyed.Key == TaskKey).Select(keyed => $"{keyed.Key}={keyed.Text}"),
            .. invocation.Get(_set) ?? [],
            .. given.Where(keyed => keyed.Key != TaskKey && !(resumes && keyed.Key == "train.init")).Select(keyed => $"{keyed.Key}={keyed.Text}"),
            .. invocation.Get(_strict) ? ["data.strict=true"] : Array.Empty<string>(),
            .. invocation.Seed is { } seed ? [string.Create(CultureInfo.InvariantCulture, $"train.seed={seed}")] : Array.Empty<string>(),
        ];
    }

    /// <summary>What the file of <c>--config</c> sets of the training, <c>train.steps</c>, limits of 0, which are none, left out; nothing without a file.</summary>
    public IEnumerable<string> KeysOfFile(Invocation invocation)
    {
        if (_config is null || invocation.Get(_config) is not { } file)
        {
            return [];
        }

        var json = JsonNode.Parse(File.ReadAllText(file), documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        return json?["train"] is not JsonObject train ? [] : train.Where(pair => pair.Key == "seed" || (pair.Value is JsonValue value && !(value.TryGetValue(out double number) && number == 0))).Select(pair => $"train.{pair.Key}");
    }

    private RunConfig Config(Invocation invocation, string? named, IReadOnlyList<string> more)
    {
        string? resumed = Resume(invocation);
        if (resumed is not null)
        {
            if (!IsAuto(invocation))
            {
                CheckResumable(invocation);
            }

            resumed = ResumePoint.Of(resumed).Run;
            SavedRun.Require(resumed);
            SavedRun.LoadConfig(resumed);
        }

        // The same command line begins a run and goes on with it: then its options are to be what the run has.
        var tree = new ConfigTree(invocation.Get(_preset));
        foreach (string file in new[] { resumed is null ? null : Path.Combine(resumed, RunConfig.FileName), _config is null ? null : invocation.Get(_config) }.OfType<string>())
        {
            tree.AddFile(file);
        }

        IEnumerable<string> settings = Settings(invocation, resumes: resumed is not null);
        foreach (string setting in (IEnumerable<string>)[.. named is null ? settings : settings.Where(setting => !setting.StartsWith(TaskIs, StringComparison.Ordinal)).Prepend(TaskIs + named), .. more])
        {
            tree.Set(setting);
        }

        RunConfig config = tree.Build();
        if (resumed is not null && IsAuto(invocation) && Resumable.Changed(SavedRun.LoadConfig(resumed), config) is { Count: > 0 } changed)
        {
            throw new UserException($"--resume auto: {resumed} was begun with {string.Join(", ", changed)}; give that, or name another --out");
        }

        return config;
    }

    private bool IsAuto(Invocation invocation) => invocation.Get(_resume) == Auto;

    private void CheckResumable(Invocation invocation)
    {
        string[] refused =
        [
            .. _keyed.Where(keyed => !Resumable.Keys.Contains(keyed.Key)).Select(keyed => keyed.Option).Prepend(_out).Prepend(_config).Prepend(_preset)
                .OfType<Option<string?>>()
                .Where(option => invocation.Get(option) is not null)
                .Select(option => option.Name),
            .. invocation.Get(_strict) ? ["--strict"] : Array.Empty<string>(),
            .. invocation.Seed is null ? Array.Empty<string>() : [CommonOptions.Seed],
            .. (invocation.Get(_set) ?? []).Select(assignment => assignment.Split('=')[0]).Where(key => !Resumable.Keys.Contains(key)),
        ];
        if (refused.Length > 0)
        {
            throw UserException.Usage(
                $"--resume goes on as the run began, so it does not take {string.Join(", ", refused)}; it takes --threads, --device, --data, --steps, --tokens, --flops and --set of {string.Join(", ", Resumable.Keys)}");
        }
    }
}
