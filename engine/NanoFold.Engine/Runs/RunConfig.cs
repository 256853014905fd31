using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Everything that decides a run. Made by <see cref="ConfigTree"/> out of a preset, files and single settings; what it gives is
/// resolved: no field is left to be worked out, except the vocabulary, which a tokenizer decides (<see cref="WithVocab"/>).
/// </summary>
public sealed record RunConfig : IValidated
{
    /// <summary>The version that is written. Newer ones are refused, older ones loaded as what they meant (<see cref="ConfigUpgrade"/>).</summary>
    public const int CurrentVersion = 4;

    /// <summary>The file's name inside a run or checkpoint folder.</summary>
    public const string FileName = "config.json";

    /// <summary>The version of the file: newer ones are refused, older ones loaded.</summary>
    [Bounds(1, int.MaxValue)]
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The model and training that everything else changes: nano (minutes on a laptop), small or gpt2.</summary>
    public string Preset { get; init; } = Presets.Default;

    /// <summary>What is learned.</summary>
    public TaskConfig Task { get; init; } = new TextConfig();

    /// <summary>How text becomes tokens.</summary>
    public TokenizerConfig Tokenizer { get; init; } = new BpeTokenizerConfig();

    /// <summary>What is trained on.</summary>
    public DataConfig Data { get; init; } = new();

    /// <summary>The model: a pre-norm decoder, x ← x + mixer(norm(x)), x ← x + feedForward(norm(x)) per layer, a final norm and a head.</summary>
    public ModelConfig Model { get; init; } = new();

    /// <summary>How it is trained; what is null follows from the preset and the optimizer.</summary>
    public TrainConfig Train { get; init; } = new();

    /// <summary>What is measured of the residual stream while training.</summary>
    public GeometryConfig Geometry { get; init; } = new();

    /// <summary>How samples are drawn.</summary>
    public GenerationConfig Generation { get; init; } = new();

    /// <summary>Reads a configuration file, or the one in a run or checkpoint folder.</summary>
    /// <exception cref="UserException">The file is missing, is not JSON, is too new, or has problems.</exception>
    public static RunConfig Load(string path)
        => new ConfigTree().AddFile(Directory.Exists(path) ? Path.Combine(path, FileName) : path).Build();

    /// <summary>Everything that is inconsistent in it.</summary>
    public IEnumerable<ConfigProblem> Validate()
    {
        int vocab = Task.IsText ? Tokenizer.LeastVocab(Data) : 0;
        IEnumerable<ConfigProblem> tooSmall = Model.Vocab > 0 && Model.Vocab < vocab
            ? [new ConfigProblem("model.vocab", $"{Model.Vocab} is less than the tokenizer's {vocab} symbols; use 0 to take the tokenizer's")]
            : [];
        ConfigProblem[] problems =
        [
            .. Task.Validate(Model, "task"),
            .. Task.IsText ? [.. Tokenizer.Validate("tokenizer"), .. Data.Validate("data")] : WithoutText(),
            .. tooSmall,
            .. Task.Fit(Model).Validate("model"),
            .. Train.Validate("train"),
            .. ReferenceProblems(),
            .. Geometry.Validate("geometry"),
            .. Generation.Validate("generation", Model.Context),
        ];
        // The names of parameters follow from a sound model only.
        return problems.Length > 0 || Train.Trains is not { } trains ? problems : TrainedProblems(trains);
    }

    private IEnumerable<ConfigProblem> ReferenceProblems()
    {
        if (Train.KlWeight > 0 && Model.Outputs > 0)
        {
            yield return new ConfigProblem("train.klWeight", $"is of a head over the vocabulary, in whose place there is a read-out: model.outputs = {Model.Outputs}");
        }

        if (Task is PreferenceConfig && Train.KlWeight > 0)
        {
            yield return new ConfigProblem("train.klWeight", "counts places, the loss of task \"preference\" pairs, which task.beta holds near the initial model; leave it out");
        }

        if (Task is PreferenceConfig && Train.Init is null)
        {
            yield return new ConfigProblem("task", "\"preference\" measures a model against what it was; name that with --init (train.init)");
        }

        if (Task is PreferenceConfig && Train.Precision.Activations().Is16Bit())
        {
            yield return new ConfigProblem("train.precision", "rounds activations to 16 bits, in which sums over answers say little; use fp32 or tf32 with task \"preference\"");
        }
    }

    private ConfigProblem[] TrainedProblems(NameGlobs trains)
    {
        if (Train is { Frozen: not null, Trainable: null } && Model.Adapters.Count > 0)
        {
            return [new ConfigProblem("train.frozen", "beside adapters all else is frozen already; leave it out, or say with train.trainable what is trained besides")];
        }

        IReadOnlyList<string> names = MemoryCheck.Counted("model.layers × model.width × model.hidden", "a smaller model", () => CostModel.ParameterNames(Task.Fit(Model)));
        ConfigProblem[] problems = [.. trains.Problems(names, "parameter")];
        return problems.Length > 0 || names.Any(trains.Matches) ? problems : [new ConfigProblem("train.frozen", "leaves nothing to be trained")];
    }

    /// <summary>Fills in everything that follows from the rest; does nothing to what is resolved already.</summary>
    public RunConfig Resolve()
    {
        RunConfig resolved = ResolveSections();
        TrainConfig train = resolved.Train;
        // An automatic batch is found when the run begins, and this with it.
        return train.EvaluationWindows is null && train.Batch > 0
            ? resolved with { Train = train with { EvaluationWindows = EvaluationShare.Windows(train, resolved.Model.Context) } }
            : resolved;
    }

    // What only text has; a tokenizer is there in every preset, and not asked.
    private IEnumerable<ConfigProblem> WithoutText()
    {
        var open = new DataConfig();
        (string Key, bool IsSet)[] keys =
        [
            .. ConfigSchema.Keys(typeof(DataConfig)).Select(key => ($"data.{key.Name}", !Equals(key.Property.GetValue(Data), key.Property.GetValue(open)))),
            ("train.sampleEvery", Train.SampleEvery > 0),
            ("train.samplePrompt", Train.SamplePrompt.Length > 0),
        ];
        return keys.Where(key => key.IsSet).Select(key => new ConfigProblem(key.Key, $"has no effect on task \"{Task.Kind}\", which has no text; leave it out"));
    }

    private RunConfig ResolveSections() => this with
    {
        Model = Task.Fit(Model).Resolve() with
        {
            Initialization = Model.Initialization ?? Train.Optimizer.Initialization,
        },
        Train = Train.Resolve(Preset),
    };

    /// <summary>The section <c>train</c> for the steps of the <see cref="Budget"/>.</summary>
    public TrainConfig Planned() => Planned(Budget.Of(this).Steps);

    /// <summary>The section <c>train</c> as it is for so many steps: what depends on their number is filled in.</summary>
    public TrainConfig Planned(int steps, int evaluateEvery = 0) => Train.Planned(Preset, steps, evaluateEvery);

    /// <summary>Takes the tokenizer's vocabulary where <c>model.vocab</c> is 0.</summary>
    /// <exception cref="ConfigException">The model's own vocabulary is too small.</exception>
    public RunConfig WithVocab(int tokenizerVocab)
    {
        if (Model.Vocab == 0)
        {
            return this with { Model = Model with { Vocab = tokenizerVocab } };
        }

        return Model.Vocab >= tokenizerVocab
            ? this
            : throw new ConfigException([new ConfigProblem("model.vocab", $"{Model.Vocab} is less than the tokenizer's {tokenizerVocab} symbols; use 0 to take the tokenizer's")]);
    }

    /// <summary>The text of <see cref="FileName"/>. What holds for one start only (<c>train.stopAfter</c>) is left at its default.</summary>
    public string ToJson()
        => ConfigJson.ToText(ConfigWriter.ToTree(this with { Version = CurrentVersion, Train = Train with { StopAfter = 0 } }, typeof(RunConfig))!);
}

/// <summary>The vocabulary of a run before its text is read.</summary>
public static class RunVocab
{
    /// <summary>A configuration with the vocabulary that training would find, as far as that is known before.</summary>
    /// <exception cref="UserException">The tokenizer cannot be read, or the model's own vocabulary is too small.</exception>
    public static RunConfig Expect(RunConfig config) => config.WithVocab(config switch
    {
        { Task.IsText: false } => config.Model.Vocab,
        { Tokenizer: FileTokenizerConfig { Path: { } path } } when config.Model.Vocab == 0 || Path.Exists(path) => SavedTokenizer.Load(path).Vocab,
        { Model.Vocab: > 0 } => config.Tokenizer.LeastVocab(config.Data),
        _ => config.Tokenizer.ExpectedVocab(config.Data),
    });
}
