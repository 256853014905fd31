using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>The model, tokenizer and configuration of a checkpoint.</summary>
public sealed class TrainedModel : IDisposable
{
    private readonly string _path;

    private TrainedModel(string path, RunConfig config, Transformer model, Tokenizer tokenizer)
    {
        _path = path;
        Config = config;
        Model = model;
        Tokenizer = tokenizer;
    }

    public RunConfig Config { get; }

    public Transformer Model { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>Reads a run folder (its best checkpoint, or else its newest) or a checkpoint folder.</summary>
    /// <exception cref="UserException">There is none, or one of its files is damaged.</exception>
    public static TrainedModel Load(string path, Backend backend)
    {
        string folder = RunFolder.FindCheckpoint(path);
        try
        {
            SavedModel saved = SavedModel.Open(folder);
            var model = new Transformer(saved.Config.Model, backend, seed: null);
            try
            {
                ModelFile.Read(saved.WeightsPath, model.Store);
                return new TrainedModel(path, saved.Config, model, saved.Tokenizer);
            }
            catch
            {
                model.Dispose();
                throw;
            }
        }
        catch (UserException e)
        {
            throw new UserException($"{e.Message}; name another checkpoint of the run", e);
        }
    }

    /// <summary>The loss over all of a text, with the documents and masks that the model was trained with.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <exception cref="UserException">The text is too short, or the loss is not finite.</exception>
    public Evaluation Evaluate(Corpus corpus, Action<string>? note = null)
    {
        DataConfig whole = Config.Data with { Validation = null, ValidationFraction = 1 };
        using TokenDataset dataset = new TokenCache().Open(corpus, TokenizerSpec.Given(Tokenizer), whole, note: note);
        var source = new EvaluationSource(dataset.Validation, corpus.Name, EvaluationSource.RowsFor(Config.Model.Context), Config.Model.Context);
        using var evaluator = new Evaluator(Model, source, null, Tokenizer.ByteLengths, Config.Data.MaskDocuments);
        Evaluation result = evaluator.Run();
        return double.IsFinite(result.Loss)
            ? result
            : throw new UserException($"{_path}: its loss on {corpus.Name} is not finite; its weights are damaged or its training diverged");
    }

    public void Dispose() => Model.Dispose();
}
