using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>Edits made ready for a model: what they take of other prompts and models is there.</summary>
public sealed class ReadyEdits : IDisposable
{
    private readonly TableStore _tables;
    private readonly IReadOnlyList<EditConfig> _edits;
    private readonly List<ITapEditor> _editors = [];

    private ReadyEdits(TrainedModel trained, IReadOnlyList<EditConfig> edits) =>
        (_edits, _tables) = (edits, new TableStore(trained.Model.Backend, trained.Model.Store.Type));

    /// <summary>The editors, in the order of the edits.</summary>
    public IReadOnlyList<ITapEditor> Editors => _editors;

    /// <summary>Edits for a model that writes text: what they take comes from prompts, and of ablations from what its run held back.</summary>
    /// <param name="trained">The model.</param>
    /// <param name="edits">The edits, as <see cref="EditList.Read"/> gives them.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends running other prompts.</param>
    /// <exception cref="UserException">A point, a prompt or a model is not there.</exception>
    public static ReadyEdits ForWriting(TrainedModel trained, IReadOnlyList<EditConfig> edits, Action<string>? note = null, CancellationToken cancel = default) =>
        Make(trained, edits, null, note, cancel);

    /// <summary>Edits for rows that are gone through in batches of one shape.</summary>
    internal static ReadyEdits ForRows(TrainedModel trained, IReadOnlyList<EditConfig> edits, LearningTask task, BatchShape shape, int rows, CancellationToken cancel) =>
        Make(trained, edits, new TaskRows(task, shape, rows), null, cancel);

    /// <summary>
    /// Controls of equal size: in place of a direction a random one of its length, in place of a subspace a random one of its dimensions, in place of every other
    /// edit a step of each row in a random direction, as long as the edit's.
    /// </summary>
    /// <param name="seed">Of the draws.</param>
    internal IReadOnlyList<ITapEditor> Controls(ulong seed) =>
    [
        .. _edits.Select((edit, i) => GaussianSource.Mix(seed, (ulong)i) is var own && edit is ProjectConfig project
            ? RandomSubspace(project, own).MakeEditor(_tables)
            : (ITapEditor)new RandomStep(_editors[i], own, isOneDirection: edit is SteerConfig)),
    ];

    public void Dispose() => _tables.Dispose();

    private static ReadyEdits Make(TrainedModel trained, IReadOnlyList<EditConfig> edits, TaskRows? rows, Action<string>? note, CancellationToken cancel)
    {
        var ready = new ReadyEdits(trained, edits);
        var models = new Dictionary<string, TrainedModel>(StringComparer.Ordinal);
        try
        {
            foreach (EditConfig edit in edits)
            {
                ITapEditor editor = edit is PatchConfig { From: { IsOfARun: true } source }
                    ? Taken(trained, edit.Points, source, models, ready._tables, rows, cancel)
                    : rows is null && edit is AblateConfig { Mode: not AblationKind.Zero } ablation ? StoredAblation.Of(trained, ablation, ready._tables, note, cancel)
                    : edit.Build(ready._tables);
                ready._editors.Add(edit.At is { } places ? editor.At(places) : editor);
            }

            return ready;
        }
        catch
        {
            ready.Dispose();
            throw;
        }
        finally
        {
            foreach (TrainedModel model in models.Values)
            {
                model.Dispose();
            }
        }
    }

    private static ITapEditor Taken(
        TrainedModel trained, string points, PatchSource source, Dictionary<string, TrainedModel> models, TableStore tables, TaskRows? rows, CancellationToken cancel)
    {
        TrainedModel other = trained;
        if (source.Model is { } path && !models.TryGetValue(path, out other!))
        {
            other = TrainedModel.Load(path, trained.Model.Backend);
            models.Add(path, other);
        }

        if (source.Prompt is { } prompt)
        {
            using var task = new PromptTask(prompt, Same(trained, other, source.Model), other.Config.Data.MaskDocuments, "--edit from.prompt");
            if (other.Config.Model.Visibility == Modules.VisibilityKind.Prefix)
            {
                throw UserException.Usage("--edit from.prompt: the model reads rows with a prefix, which a prompt does not say");
            }

            if (task.Count > other.Config.Model.Context)
            {
                throw UserException.Usage($"--edit from.prompt: has {task.Count} tokens, the model's context is {other.Config.Model.Context}; shorten it");
            }

            string name = source.Model is null ? $"the prompt '{prompt}'" : $"{source.Model} on the prompt '{prompt}'";
            IReadOnlyDictionary<string, PointValues> values = PointValues.Of(other.Model, task, points, new BatchShape(1, task.Count), 0, cancel);
            return source.Position is { } position ? new SourceEditor.OfPosition(points, values, name, position, tables) : new SourceEditor.ByPosition(points, values, name, tables);
        }

        if (rows is null)
        {
            throw UserException.Usage($"--edit from.model {source.Model}: what it reads while text is written is not known; give a prompt with it");
        }

        RequireSameInput(trained, other, source.Model!, rows);

        return new SourceEditor.ByPass(points, PointValues.Of(other.Model, rows.Task, points, rows.Shape, rows.Rows, cancel), source.Model!, source.Position);
    }

    private static void RequireSameInput(TrainedModel trained, TrainedModel other, string path, TaskRows rows)
    {
        if (rows.Task.Tokenizer is not null)
        {
            _ = Same(trained, other, path);
        }

        (Model.ModelConfig own, Model.ModelConfig its) = (trained.Config.Model, other.Config.Model);
        if ((own.Vocab, own.Inputs, own.Outputs, own.Visibility) != (its.Vocab, its.Inputs, its.Outputs, its.Visibility))
        {
            throw new UserException($"--edit from.model {path}: does not read what the model that is edited reads, so that positions do not compare");
        }

        if (its.Context < rows.Shape.Time)
        {
            throw new UserException($"--edit from.model {path}: has a context of {its.Context} tokens, the rows have {rows.Shape.Time}");
        }
    }

    // Tokens mean the same to both.
    private static Text.Tokenizer Same(TrainedModel trained, TrainedModel other, string? path) => other.Tokenizer.Fingerprint == trained.Tokenizer.Fingerprint
        ? other.Tokenizer
        : throw new UserException($"--edit from.model {path}: has another tokenizer than the model that is edited, so that positions do not compare");

    private static ProjectConfig RandomSubspace(ProjectConfig project, ulong seed)
    {
        var source = new GaussianSource(seed);
        int rank = Subspace.Basis(project.Directions).Length, width = project.Directions[0].Count;
        return project with { Directions = [.. Enumerable.Range(0, rank).Select(_ => (IReadOnlyList<double>)[.. Enumerable.Range(0, width).Select(_ => source.NextNormal())])] };
    }

    private sealed record TaskRows(LearningTask Task, BatchShape Shape, int Rows);
}
