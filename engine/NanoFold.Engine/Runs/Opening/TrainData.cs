using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>From a configuration to what is learned.</summary>
public static class TrainData
{
    /// <summary>What the task of a configuration is opened for.</summary>
    /// <param name="config">Its sections <c>data</c>, <c>tokenizer</c>, <c>model</c> and <c>train</c>.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends what takes time.</param>
    /// <param name="own">The tokenizer of a checkpoint, in place of the file that <c>tokenizer.path</c> names: that one may be gone.</param>
    /// <param name="template">The chat template of a run, in place of that of the model that it began with: that one may be gone.</param>
    public static TaskContext ContextOf(RunConfig config, Action<string>? note = null, CancellationToken cancel = default, Tokenizer? own = null, string? template = null) => new()
    {
        Model = config.Model,
        Seed = (ulong)config.Train.Seed,
        Data = config.Data,
        Tokenizer = () => config.Tokenizer is FileTokenizerConfig { Path: { } path } ? TokenizerSpec.Given(own ?? SavedTokenizer.Load(path)) : TokenizerSpec.Of(config.Tokenizer),
        ChatTemplate = () => TemplateOf(config),
        KeptTemplate = template,
        Accumulate = config.Train.Accumulate,
        Note = note,
        Cancel = cancel,
    };

    private static string? TemplateOf(RunConfig config) =>
        config.Train.Init is { } init && Path.Exists(init) ? SavedModel.Open(SavedRun.FindCheckpoint(init), weights: false).ChatTemplate : null;

    /// <summary>Opens the corpus that a configuration names, tokenized; from the cache where it was tokenized before.</summary>
    /// <inheritdoc cref="ContextOf"/>
    public static TokenDataset Open(RunConfig config, Action<string>? note = null, CancellationToken cancel = default) => TextConfig.Read(ContextOf(config, note, cancel));

    /// <summary>Opens what is of the text of a run that was trained before. Where the text is gone, the message ends with what to do.</summary>
    /// <param name="data">The run's.</param>
    /// <param name="remedy">What to do, as in <c>say where the run's text is now with --data</c>.</param>
    /// <param name="open">Opens it.</param>
    /// <exception cref="UserException">It cannot be opened.</exception>
    public static T OpenAgain<T>(DataConfig data, string remedy, Func<T> open)
    {
        try
        {
            return open();
        }
        catch (UserException e) when (IsGone(data.Path) || IsGone(data.Validation))
        {
            throw new UserException($"{e.Message}; {remedy}", e);
        }
    }

    /// <summary>Whether a text that was there when a run began is there no more.</summary>
    internal static bool IsGone(string? path) => path is not (null or Corpus.Pipe) && !Path.Exists(path);

    /// <summary>The task of a configuration in shape, for plans and benchmarks: its vocabulary known, nothing is read.</summary>
    public static LearningTask Sketch(RunConfig config) => config.Task.Sketch(ContextOf(config with { Model = config.Model.Resolve() }));
}
