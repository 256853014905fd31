using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Scoring;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>The model and configuration of a checkpoint, and the tokenizer where it was trained on text.</summary>
public sealed class TrainedModel : IDisposable
{
    private readonly string _path;
    private readonly string? _runFolder;
    private readonly string? _contentHash;

    private readonly Tokenizer? _tokenizer;
    private readonly bool _ownsModel = true;
    private readonly Lazy<string?> _chatSource;

    private TrainedModel(string path, string? runFolder, RunConfig config, Transformer model, Tokenizer? tokenizer, TrainState? state, Lazy<string?> chatSource)
    {
        (_path, _runFolder) = (path, runFolder);
        _contentHash = state?.ContentHash;
        Step = state?.Step ?? 0;
        Config = config;
        Model = model;
        _tokenizer = tokenizer;
        _chatSource = chatSource;
    }

    private TrainedModel(TrainedModel other, RunConfig config, Transformer model)
    {
        (_path, _runFolder, _contentHash, Step, _tokenizer) = (other._path, other._runFolder, other._contentHash, other.Step, other._tokenizer);
        (_chatSource, Weights, Base) = (other._chatSource, other.Weights, other.Base);
        (Config, Model, _ownsModel) = (config, model, !ReferenceEquals(model, other.Model));
    }

    public RunConfig Config { get; }

    public Transformer Model { get; }

    /// <summary>The path of the model that it was trained on top of or that an adapter was put on; null where there is none.</summary>
    public string? Base { get; private init; }

    /// <summary>What its weights are in memory, as they were asked for.</summary>
    public WeightStorage Weights { get; private init; }

    // Whether its conversations are to be written by another template than its own.
    private bool NamesTemplate { get; init; }

    /// <summary>Steps that it was trained for; 0 where that is not known.</summary>
    public long Step { get; }

    /// <summary>Whether it was trained on text.</summary>
    public bool HasTokenizer => _tokenizer is not null;

    /// <summary>Of its text.</summary>
    /// <exception cref="UserException">It learned a task that has no text, or came without one.</exception>
    public Tokenizer Tokenizer => _tokenizer ?? throw (Config.Task.IsText ? SavedModel.NoTokenizer(_path) : WithoutText());

    /// <summary>The text of its chat template; null where it has none.</summary>
    /// <exception cref="UserException">Its file is damaged.</exception>
    public string? ChatSource => _chatSource.Value;

    /// <summary>Its chat template; where it has none, the plain one, which says so by its name.</summary>
    /// <exception cref="UserException">Its template cannot be read, or it has no tokenizer.</exception>
    public ChatTemplate ChatTemplate() => ChatSource is { } source ? Text.Chat.ChatTemplate.Parse(source, Tokenizer, $"{_path}: chat template") : Text.Chat.ChatTemplate.Plain(Tokenizer);

    private UserException WithoutText() => new($"{_path}: was trained on task {Config.Task.Kind}, which has no text: it neither reads nor writes any");

    /// <summary>Reads a run folder (its best checkpoint, or else its newest), a checkpoint folder, or a model of another program.</summary>
    /// <param name="path">Which.</param>
    /// <param name="backend">Where its model is.</param>
    /// <param name="adapter">The folder of an adapter of peft that is put on it; null for none. Such a folder may also be the path, where it names its base.</param>
    /// <param name="storage">What its weights are to be in memory; of anything but single precision they can only be used, not edited or trained.</param>
    /// <exception cref="UserException">There is none, or one of its files is damaged, or the backend cannot use weights so.</exception>
    public static TrainedModel Load(string path, Backend backend, string? adapter = null, WeightStorage storage = WeightStorage.Float32)
    {
        storage.Require(backend);
        string folder = SavedRun.FindCheckpoint(path);
        try
        {
            SavedModel saved = SavedModel.Open(folder, adapter: adapter);
            using SourceInFiles values = saved.Values.Open(backend, storage);
            var model = new Transformer(saved.Config.Model, backend, values, trains: null);
            try
            {
                TrainState? state = File.Exists(Path.Combine(folder, TrainState.FileName)) ? TrainState.Load(folder) : null;
                return new TrainedModel(path, SavedRun.RunOf(folder), saved.Config, model, saved.Tokenizer, state, new Lazy<string?>(() => saved.ChatTemplate)) { Base = saved.Base, Weights = storage };
            }
            catch
            {
                model.Dispose();
                throw;
            }
        }
        catch (UserException e) when (e is not ElsewhereFault && !ForeignModel.IsForeign(folder))
        {
            throw new UserException($"{e.Message}; name another checkpoint of the run", e);
        }
    }

    /// <summary>Whether a text is the one that the model was trained on: then a part of it was held back from training, and the rest says nothing new.</summary>
    public bool IsOwn(Corpus corpus)
    {
        using Corpus? validation = Config.Data.Validation is { } path && Path.Exists(path) ? Corpus.Open(path, Config.Data.Reading with { RequiresField = false }) : null;
        return _contentHash is not null && new TokenCache().ContentHash(corpus, validation) == _contentHash;
    }

    /// <summary>The part of a text that says something: of the run's own text what it validated with, if anything was held back; of others all.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    public TextPart PartToEvaluate(Corpus corpus, Action<string>? note = null)
    {
        if (!IsOwn(corpus))
        {
            return TextPart.All;
        }

        using TokenDataset dataset = new TokenCache().Open(corpus, TokenizerSpec.Given(Tokenizer), Config.Data, note: note);
        return dataset.Validation.Tokens > 1 ? TextPart.Validation : TextPart.All;
    }

    /// <summary>The loss over all of a text, with the documents and masks that the model was trained with.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <exception cref="UserException">The text is too short, or the loss is not finite.</exception>
    public Evaluation Evaluate(Corpus corpus, Action<string>? note = null) => Evaluate(corpus, TextPart.All, note);

    /// <summary>The loss over a part of a text, with the documents and masks that the model was trained with.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="part">Which part: cut as the run's own text was, where it is that one at the same place.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing and evaluating.</param>
    /// <exception cref="UserException">That part is too short, or the loss is not finite.</exception>
    public Evaluation Evaluate(Corpus corpus, TextPart part, Action<string>? note = null, CancellationToken cancel = default)
        => With(corpus, part, counts: false, note, cancel, (task, name) => Evaluate(task, name, cancel));

    /// <summary>The scores on what the task that the model was trained on holds back.</summary>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends evaluating.</param>
    /// <exception cref="UserException">Nothing is held back, or the loss is not finite.</exception>
    public Evaluation Evaluate(Action<string>? note = null, CancellationToken cancel = default)
        => With(note, cancel, (task, name) => Evaluate(task, name, cancel));

    /// <summary>Opens the task that the model was trained on, with the tokenizer and the chat template of its run.</summary>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends what takes time.</param>
    /// <exception cref="UserException">What it reads is gone.</exception>
    public LearningTask OpenTask(Action<string>? note = null, CancellationToken cancel = default) =>
        Config.Task.Open(TrainData.ContextOf(Config, note, cancel, _tokenizer, Config.Task is ConversationTaskConfig && !NamesTemplate ? ChatSource : null));

    /// <summary>The loss over a part of a text, told apart in many ways.</summary>
    /// <inheritdoc cref="Evaluate(Corpus, TextPart, Action{string}?, CancellationToken)"/>
    public DetailedEvaluation EvaluateInDetail(Corpus corpus, TextPart part, Action<string>? note = null, CancellationToken cancel = default)
        => With(corpus, part, counts: true, note, cancel, (task, _) => new DetailedEvaluator(Model, Config, task).Run(Step, cancel));

    /// <summary>The scores on what the task that the model was trained on holds back, told apart in many ways.</summary>
    /// <inheritdoc cref="Evaluate(Action{string}?, CancellationToken)"/>
    public DetailedEvaluation EvaluateInDetail(Action<string>? note = null, CancellationToken cancel = default)
        => With(note, cancel, (task, _) => new DetailedEvaluator(Model, Config, task).Run(Step, cancel));

    /// <summary>Scores the tokens of a part of a text one by one.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="part">Which part, as in <see cref="Evaluate(Corpus, TextPart, Action{string}?, CancellationToken)"/>.</param>
    /// <param name="stride">New tokens of each window of a document; null for the windows that an evaluation takes.</param>
    /// <param name="each">Gets each token in order.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing and scoring.</param>
    /// <exception cref="UserException">That part is too short, the model is not causal, or the loss is not finite.</exception>
    public TextScores ScoreTokens(Corpus corpus, TextPart part, int? stride, Action<PlacedScore>? each = null, Action<string>? note = null, CancellationToken cancel = default)
        => OnTokens(corpus, part, note, cancel, (_, tokens, name) =>
        {
            TextTask.RequireTargets(tokens, name);
            var scoring = new TextScoring(Model, Tokenizer) { Stride = stride, MaskDocuments = Config.Data.MaskDocuments, IsWhole = part == TextPart.All };
            TextScores scores = scoring.Run(tokens, each, cancel);
            return scores with { Evaluation = Finite(scores.Evaluation, name) };
        });

    /// <summary>The same model before its task with other settings, before another task, or on rows of another length; valid while this one is.</summary>
    /// <param name="settings">Of the task: <c>task=recall</c>, <c>task.pairs=8</c>, <c>task=conversations</c>.</param>
    /// <param name="context">Places of a row; null for as many as in training.</param>
    /// <param name="conversations">The file of them, all of which are evaluated; null for what the run held back.</param>
    /// <exception cref="UserException">The model cannot do that.</exception>
    public TrainedModel Before(IReadOnlyList<string> settings, int? context = null, string? conversations = null)
    {
        if (settings.FirstOrDefault(setting => !EvaluatedTask.IsOfTask(setting)) is { } other)
        {
            throw UserException.Usage($"{other}: is no setting of a task; what the model is stays as it was trained");
        }

        RunConfig config = EvaluatedTask.Of(Config, settings, context ?? Config.Model.Context);
        if (conversations is null && config.Task.Kind != Config.Task.Kind && config.Task.IsText)
        {
            throw UserException.Usage($"{settings[0]}: the model was not trained on conversations; name some with --data FILE.jsonl");
        }

        if (conversations is not null)
        {
            config = config with { Data = config.Data with { Path = conversations, Validation = conversations } };
        }

        bool names = NamesTemplate || settings.Any(setting => setting.StartsWith("task.template=", StringComparison.Ordinal));
        if (config.Model.Context == Config.Model.Context)
        {
            return new TrainedModel(this, config, Model) { NamesTemplate = names };
        }

        return LongerRows.WhyNot(config, Model) is { } reason
            ? throw new UserException($"rows of {config.Model.Context} places: {reason}")
            : new TrainedModel(this, config, LongerRows.Copy(config, Model)) { NamesTemplate = names };
    }

    public void Dispose()
    {
        if (_ownsModel)
        {
            Model.Dispose();
        }
    }

    private T With<T>(Corpus corpus, TextPart part, bool counts, Action<string>? note, CancellationToken cancel, Func<LearningTask, string, T> evaluate)
        => OnTokens(corpus, part, note, cancel, (dataset, tokens, name) =>
        {
            TokenShard? trained = counts && part != TextPart.All && IsOwn(corpus) ? dataset.Train : null;
            return evaluate(new TextTask(tokens, name, Tokenizer.ByteLengths, Config.Data.MaskDocuments, trained), name);
        });

    private T OnTokens<T>(Corpus corpus, TextPart part, Action<string>? note, CancellationToken cancel, Func<TokenDataset, TokenShard, string, T> evaluate)
    {
        // A validation text of its own belongs to the run's own text only.
        DataConfig cut = part == TextPart.All ? Config.Data with { Validation = null, ValidationFraction = 1 }
            : Config.Data.Validation is not null && !IsOwn(corpus) ? Config.Data with { Validation = null }
            : Config.Data;
        using TokenDataset dataset = new TokenCache().Open(corpus, TokenizerSpec.Given(Tokenizer), cut, note: note, cancel: cancel);
        string name = part switch { TextPart.Train => $"{corpus.Name}, the part to train on", TextPart.Validation => $"{corpus.Name}, the part to validate with", _ => corpus.Name };
        return evaluate(dataset, part == TextPart.Train ? dataset.Train : dataset.Validation, name);
    }

    private T With<T>(Action<string>? note, CancellationToken cancel, Func<LearningTask, string, T> evaluate)
    {
        using LearningTask task = OpenTask(note, cancel);
        if (task.Places(TaskSplit.Validation) == 0)
        {
            throw new UserException($"{_path}: its task, {task.Name}, holds nothing back to evaluate on");
        }

        PreferenceReference.Give(task, Config, _runFolder, Model.Backend, note, cancel);
        return evaluate(task, task.Name);
    }

    private Evaluation Evaluate(LearningTask task, string name, CancellationToken cancel)
    {
        using var evaluator = new Evaluator(Model, task);
        return Finite(evaluator.Run(cancel: cancel), name);
    }

    private Evaluation Finite(Evaluation result, string name) => double.IsFinite(result.Loss)
        ? result
        : throw new UserException($"{_path}: its loss on {name} is not finite; its weights are damaged or its training diverged");
}
