using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>What a model is measured on: the run's own task, another one, a text or a prompt.</summary>
internal sealed class SurveyData : IDisposable
{
    private readonly IDisposable? _with;

    private SurveyData(LearningTask task, string name, int context, IDisposable? with = null) => (Task, Name, Context, _with) = (task, name, context, with);

    public LearningTask Task { get; }

    /// <summary>For messages.</summary>
    public string Name { get; }

    /// <summary>Places of a row at most.</summary>
    public int Context { get; }

    /// <summary>The tokens of a text from its beginning, where labels can be of it; null otherwise.</summary>
    public TokenShard? Text { get; private init; }

    /// <summary>Opens what was asked for.</summary>
    /// <param name="config">The run's.</param>
    /// <param name="tokenizer">The run's; null where it has no text.</param>
    /// <param name="options">Data, prompt or task.</param>
    /// <param name="note">Told, in a line, what takes time; or null.</param>
    /// <param name="cancel">Ends what takes time.</param>
    /// <param name="remedy">What to do where the run's own text is gone.</param>
    /// <exception cref="UserException">The model cannot read it.</exception>
    public static SurveyData Open(
        RunConfig config, Tokenizer? tokenizer, SurveyOptions options, Action<string>? note, CancellationToken cancel, string remedy = "say where the run's text is now with --data")
    {
        if ((options.Data, options.Prompt, options.TaskSettings.Count > 0) is not ((null, null, _) or (null, _, false) or (_, null, false)))
        {
            throw UserException.Usage("--data, --prompt and --task: a model is measured on one of them at a time");
        }

        if (options.Data is not null || options.Prompt is not null)
        {
            string option = options.Data is null ? "--prompt" : "--data";
            Tokenizer reads = tokenizer ?? throw UserException.Usage($"{option}: the run was trained on task {config.Task.Kind}, which has no text; leave it out, or name another task with --task");
            return options.Prompt is { } prompt ? OfPrompt(prompt, options.ParseSpecial, reads, config) : OfText(options, reads, config, note, cancel);
        }

        if (options.TaskSettings.FirstOrDefault(setting => !EvaluatedTask.IsOfTask(setting)) is { } other)
        {
            throw UserException.Usage($"--set {other}: is no setting of a task; what the model is stays as it was trained");
        }

        if (options.TaskSettings.Count > 0 && config.Task.IsText)
        {
            throw UserException.Usage($"{options.TaskSettings[0]}: the run was trained on text; name another text with --data");
        }

        RunConfig own = EvaluatedTask.Of(config, options.TaskSettings, config.Model.Context);
        LearningTask task = TrainData.OpenAgain(own.Data, remedy, () => own.Task.Open(TrainData.ContextOf(own, note, cancel, tokenizer)));
        return new SurveyData(task, task.Name, own.Model.Context);
    }

    public void Dispose()
    {
        Task.Dispose();
        _with?.Dispose();
    }

    private static SurveyData OfPrompt(string prompt, bool specials, Tokenizer tokenizer, RunConfig config)
    {
        var task = new PromptTask(prompt, tokenizer, config.Data.MaskDocuments, specials: specials);
        return task.Count <= config.Model.Context
            ? new SurveyData(task, task.Name, task.Count)
            : throw UserException.Usage($"--prompt: has {task.Count} tokens, the model's context is {config.Model.Context}; shorten it, or give it as a file with --data");
    }

    // The run's own text is looked at where it validated, another one as a whole; one with labels from its beginning.
    private static SurveyData OfText(SurveyOptions options, Tokenizer tokenizer, RunConfig config, Action<string>? note, CancellationToken cancel)
    {
        using Corpus corpus = Corpus.Open(options.Data!, options.Reading);
        DataConfig cut = config.Data with { Validation = null, ValidationFraction = 1 };
        TokenDataset dataset = new TokenCache().Open(corpus, TokenizerSpec.Given(tokenizer), cut, note: note, cancel: cancel);
        try
        {
            return new SurveyData(new TextTask(dataset.Validation, corpus.Name, tokenizer.ByteLengths, config.Data.MaskDocuments), corpus.Name, config.Model.Context, dataset) { Text = dataset.Validation };
        }
        catch
        {
            dataset.Dispose();
            throw;
        }
    }
}

/// <summary>One row: the tokens of a prompt.</summary>
internal sealed class PromptTask : LearningTask
{
    private readonly int[] _tokens;
    private readonly bool _maskDocuments;

    /// <exception cref="UserException">It has fewer than two tokens.</exception>
    public PromptTask(string prompt, Tokenizer tokenizer, bool maskDocuments, string option = "--prompt", bool specials = false)
    {
        (_tokens, _maskDocuments, OfText, Vocab) = (tokenizer.EncodePrompt(prompt, specials), maskDocuments, tokenizer, tokenizer.Vocab);
        if (_tokens.Length < 2)
        {
            throw UserException.Usage($"{option}: has {_tokens.Length} tokens; at least 2 are needed");
        }
    }

    /// <summary>Its tokens.</summary>
    public ReadOnlySpan<int> Tokens => _tokens;

    /// <summary>How many they are.</summary>
    public int Count => _tokens.Length;

    public override string Name => "the prompt";

    public override int Vocab { get; }

    internal override Tokenizer? OfText { get; }

    public override IReadOnlyList<BatchField> Fields(int time) => [.. BatchField.OfTokens(time), BatchField.OfDocuments(time, _maskDocuments)];

    public override long Places(TaskSplit split) => _tokens.Length;

    public override int Fill(in RowKey key, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        _tokens.AsSpan(0, tokens.Length).CopyTo(tokens);
        if (!targets.IsEmpty)
        {
            tokens[1..].CopyTo(targets);
        }

        row.Integers(BatchField.Documents).Clear();
        return targets.Length - 1;
    }
}
