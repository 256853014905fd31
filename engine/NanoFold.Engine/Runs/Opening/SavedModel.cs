using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>
/// A checkpoint, or any folder with a <c>model.safetensors</c>, its <c>config.json</c> and, of text, <c>tokenizer.json</c>: found sound as far as that can be
/// seen without reading weights. Nothing is allocated for a model before that.
/// </summary>
/// <param name="Folder">Where it lies.</param>
/// <param name="Config">Its configuration, the vocabulary known.</param>
/// <param name="Tokenizer">Its tokenizer; null where its task has no text.</param>
internal sealed record SavedModel(string Folder, RunConfig Config, Tokenizer? Tokenizer)
{
    /// <summary>The file of its weights.</summary>
    public string WeightsPath => Path.Combine(Folder, ModelFile.Name);

    /// <summary>Its values, of which that file may leave some to the model that it began with.</summary>
    public required SavedValues Values { get; init; }

    /// <summary>Looks at a checkpoint.</summary>
    /// <param name="folder">Where it lies.</param>
    /// <param name="weights">Whether its weights are held against their hash, which takes reading them.</param>
    /// <exception cref="UserException">One of its files is missing or damaged, or they do not belong together.</exception>
    public static SavedModel Open(string folder, bool weights = true)
    {
        bool hasHashes = File.Exists(Path.Combine(folder, TrainState.FileName));
        if (hasHashes)
        {
            TrainState.LoadSound(folder, RunConfig.FileName);
        }

        RunConfig config = SavedRun.LoadConfig(folder);
        string[] names = [.. config.Task.IsText ? [Tokenizer.FileName] : Array.Empty<string>(), .. weights ? [ModelFile.Name] : Array.Empty<string>()];
        if (hasHashes && names.Length > 0)
        {
            TrainState.LoadSound(folder, names);
        }

        if (!config.Task.IsText)
        {
            return new SavedModel(folder, config, null) { Values = SavedValues.Look(folder, config, weights) };
        }

        Tokenizer tokenizer = Tokenizer.Load(folder);
        int vocab = config.Model.Vocab == 0 ? tokenizer.Vocab : config.Model.Vocab;
        if (vocab < tokenizer.Vocab)
        {
            throw new UserException($"{Path.Combine(folder, Tokenizer.FileName)}: has {tokenizer.Vocab} tokens, the model {vocab}; the two do not belong together");
        }

        config = config with { Model = config.Model with { Vocab = vocab } };
        return new SavedModel(folder, config, tokenizer) { Values = SavedValues.Look(folder, config, weights) };
    }
}
