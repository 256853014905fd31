using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Data;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Peft;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>
/// A checkpoint, or any folder with a <c>model.safetensors</c>, its <c>config.json</c> and, of text, <c>tokenizer.json</c>, or a model of another program: found sound as far as
/// that can be seen without reading weights. Nothing is allocated for a model before that.
/// </summary>
/// <param name="Folder">Where it lies.</param>
/// <param name="Config">Its configuration, the vocabulary known.</param>
/// <param name="Tokenizer">Its tokenizer; null where its task has no text, or where it came without one.</param>
internal sealed record SavedModel(string Folder, RunConfig Config, Tokenizer? Tokenizer)
{
    private string? Start { get; init; }

    private string? OwnChatTemplate { get; init; }

    /// <summary>Its values, of which that file may leave some to the model that it began with.</summary>
    public required SavedValues Values { get; init; }

    /// <summary>The path of the model that it is on top of; null where it is on none, or that is not there any more.</summary>
    public string? Base => Start ?? (Config.Train.Init is { } init && Path.Exists(init) ? init : null);

    /// <summary>The text of its chat template, or else of that of the model that it is on top of; null where there is none.</summary>
    public string? ChatTemplate => OwnChatTemplate ?? SavedChat.In(Folder) ?? (Base is { } start ? SavedChat.Of(start) : null);

    /// <summary>Whether it is an adapter of peft on another model.</summary>
    public bool IsAdapter => Start is not null;

    /// <summary>Whether it is a checkpoint of a run, rather than a model that came from elsewhere.</summary>
    public bool IsTrainedHere => File.Exists(Path.Combine(Folder, TrainState.FileName));

    /// <summary>Looks at a checkpoint.</summary>
    /// <param name="folder">Where it lies.</param>
    /// <param name="weights">Whether its weights are held against their hash, which takes reading them.</param>
    /// <param name="adapter">The folder of an adapter of peft that is put on it, or null.</param>
    /// <exception cref="UserException">One of its files is missing or damaged, or they do not belong together.</exception>
    public static SavedModel Open(string folder, bool weights = true, string? adapter = null)
    {
        if (adapter is not null)
        {
            return Adapted(adapter, folder, weights);
        }

        if (PeftFolder.Is(folder))
        {
            return Adapted(folder, SavedRun.FindCheckpoint(PeftFolder.FindBase(folder)), weights);
        }

        if (ForeignModel.TryOpen(folder) is { } foreign)
        {
            using (foreign)
            {
                return Of(foreign);
            }
        }

        bool hasHashes = File.Exists(Path.Combine(folder, TrainState.FileName));
        if (hasHashes)
        {
            TrainState.LoadSound(folder, RunConfig.FileName);
        }

        RunConfig config = SavedRun.LoadConfig(folder);
        bool hasTokenizer = config.Task.IsText && (hasHashes || config.Tokenizer is not NoTokenizerConfig);
        string[] names = [.. hasTokenizer ? [Tokenizer.FileName] : Array.Empty<string>(), .. weights ? [ModelFile.Name] : Array.Empty<string>()];
        if (hasHashes && names.Length > 0)
        {
            TrainState.LoadSound(folder, names);
        }

        if (!hasTokenizer)
        {
            return new SavedModel(folder, config, null) { Values = SavedValues.Look(folder, config, weights) };
        }

        Tokenizer tokenizer = Tokenizer.Load(folder);
        int vocab = config.Model.Vocab == 0 ? tokenizer.Vocab : config.Model.Vocab;
        RequireRoom(tokenizer, vocab, Path.Combine(folder, Tokenizer.FileName));
        config = config with { Model = config.Model with { Vocab = vocab } };
        return new SavedModel(folder, config, tokenizer) { Values = SavedValues.Look(folder, config, weights) };
    }

    /// <summary>The configuration of a run that a model of another program would be of.</summary>
    /// <param name="model">As one of ours.</param>
    /// <param name="tokenizer">Where its tokenizer is; null where it has none.</param>
    public static RunConfig ConfigOf(Model.ModelConfig model, string? tokenizer) =>
        new RunConfig { Model = model, Tokenizer = tokenizer is null ? new NoTokenizerConfig() : new FileTokenizerConfig { Path = tokenizer } }.Resolve();

    /// <summary>Throws where a tokenizer has more tokens than a model.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="vocab">Of the model.</param>
    /// <param name="path">Of the tokenizer, for the message.</param>
    public static void RequireRoom(Tokenizer tokenizer, int vocab, string path)
    {
        if (vocab < tokenizer.Vocab)
        {
            throw new UserException($"{path}: has {tokenizer.Vocab} tokens, the model {vocab}; the two do not belong together");
        }
    }

    /// <summary>The fault of a model that came without a tokenizer.</summary>
    public static UserException NoTokenizer(string path) => new($"{path}: has no tokenizer, so that it neither reads nor writes text; give it one with import {path} --tokenizer FILE --out DIR");

    // A base with an adapter of peft on it.
    private static SavedModel Adapted(string folder, string start, bool weights)
    {
        if (!PeftFolder.Is(folder))
        {
            throw new UserException($"{folder}: is no folder of an adapter (it has no {PeftFolder.ConfigFile})");
        }

        if (PeftFolder.Is(start))
        {
            throw new UserException($"{start}: is itself an adapter; name the model that both belong to");
        }

        SavedModel model = Open(start, weights);
        if (model.Config.Model.Adapters.Count > 0)
        {
            throw new UserException($"{start}: has adapters of its own (model.adapters), on which no other is put; write it without them first: export --model {start} --format huggingface --out DIR");
        }

        string? architecture;
        using (ForeignModel? foreign = ForeignModel.TryOpen(start))
        {
            architecture = foreign?.Architecture;
        }

        PeftAdapter Adapter() => PeftAdapter.Open(folder, model.Config.Model, start, architecture);
        using PeftAdapter adapter = Adapter();
        return model with
        {
            Folder = folder,
            Start = start,
            OwnChatTemplate = SavedChat.In(folder) ?? model.OwnChatTemplate,
            Config = model.Config with
            {
                Model = adapter.Config,
                Train = model.Config.Train with { Init = null, InitHash = null, Frozen = null, Trainable = adapter.Replaced.Count == 0 ? null : ["*.lora_*", .. adapter.Replaced] },
            },
            Values = SavedValues.Of([.. adapter.Weights.All.Select(weight => weight.Name)], adapter.File, model.Values, () => OpenValues.Of(Adapter())),
        };
    }

    private static SavedModel Of(ForeignModel foreign)
    {
        Tokenizer? tokenizer = foreign.Tokenizer;
        if (tokenizer is not null)
        {
            RequireRoom(tokenizer, foreign.Config.Vocab, foreign.Path);
        }

        return new SavedModel(foreign.Path, ConfigOf(foreign.Config, tokenizer is null ? null : Path.GetFullPath(foreign.Path)), tokenizer) { Values = SavedValues.Of(foreign), OwnChatTemplate = foreign.ChatTemplate };
    }
}
