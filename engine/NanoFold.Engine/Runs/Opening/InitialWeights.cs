using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// A run that begins with weights from elsewhere (<c>train.init</c>): it takes their model and tokenizer, the text and the training are its own.
/// Moments begin at zero, the schedule at step 0.
/// </summary>
internal static class InitialWeights
{
    private const string Init = "init";
    private const string InitHash = "initHash";
    private const double AdapterLearningRate = 1e-3, FineTuningLearningRate = 1e-4;

    // What of a model may be other than the weights were trained with; where a shape depends on it, that is found.
    private static readonly string[] s_free = ["context", "dropout", "edits", "ropeScaling"];

    /// <summary>
    /// The model that merged settings begin with, not yet its weights; null where they name none, and where they are those of a run that has begun: they
    /// are complete.
    /// </summary>
    public static SavedModel? Of(JsonObject tree)
        => tree["train"] is JsonObject train && train[InitHash] is null && ConfigJson.TextOf(train[Init]) is { Length: > 0 } path
            ? SavedModel.Open(SavedRun.FindCheckpoint(path), weights: false)
            : null;

    /// <summary>
    /// What stands under all other settings: its preset, its model, its tokenizer, or its task where that is none of text, and an optimizer for fine-tuning it.
    /// </summary>
    /// <param name="start">The model.</param>
    /// <param name="settings">All other settings, merged.</param>
    public static JsonObject Layer(SavedModel start, JsonObject settings)
    {
        JsonObject train = FineTuning(start, settings);
        if (start is { IsAdapter: true, Config.Train.Trainable: { } trained })
        {
            train["trainable"] = new JsonArray([.. trained.Select(name => (JsonNode)name)]);
        }

        var layer = new JsonObject
        {
            ["preset"] = start.Config.Preset,
            ["model"] = ConfigWriter.ToTree(start.Config.Model, typeof(ModelConfig)),
            ["train"] = train,
        };

        if (start.Config.Task.IsText && start.Tokenizer is null)
        {
            throw SavedModel.NoTokenizer(start.Folder);
        }

        if (start.Tokenizer is null)
        {
            layer["task"] = ConfigWriter.ToTree(start.Config.Task, typeof(TaskConfig));
        }
        else
        {
            string file = Path.Combine(start.Folder, Tokenizer.FileName);
            layer["tokenizer"] = ConfigWriter.ToTree(new FileTokenizerConfig { Path = Path.GetFullPath(File.Exists(file) ? file : start.Folder) }, typeof(TokenizerConfig));
        }

        return layer;
    }

    /// <summary>The settings in which a model is not that of the weights.</summary>
    public static IEnumerable<ConfigProblem> Problems(SavedModel start, ModelConfig model)
    {
        ModelConfig expected = start.Config.Model;
        model = model with { Vocab = model.Vocab == 0 ? expected.Vocab : model.Vocab };
        return Differences("model", ConfigWriter.ToTree(model.Resolve(), typeof(ModelConfig)), ConfigWriter.ToTree(expected, typeof(ModelConfig)))
            .Where(difference => !s_free.Contains(difference.Path.Split('.')[1]) && !(difference.Path == "model.adapters" && expected.Adapters.Count == 0))
            .Select(difference => difference with { Message = $"{difference.Message} of the weights to begin with, {start.Folder}; leave it out to take theirs" });
    }

    /// <summary>Opens the weights that a configuration names, all of them held against their hashes; null where it names none.</summary>
    /// <param name="config">Of the run; it gets what the weights decide.</param>
    /// <param name="backend">Where the run is to be, so that what does not fit is refused before all of it is read; null where the run's memory is taken already.</param>
    /// <exception cref="UserException">They are gone, damaged, not those that the configuration means, of another model, or more than fits.</exception>
    public static SavedModel? Open(ref RunConfig config, Backend? backend)
    {
        if (config.Train.Init is not { } path)
        {
            return null;
        }

        SavedModel start = SavedModel.Open(SavedRun.FindCheckpoint(path));
        ConfigProblem[] problems = [.. Problems(start, config.Model)];
        if (problems.Length > 0)
        {
            throw new ConfigException(problems);
        }

        config = config with { Model = config.Model with { Vocab = start.Config.Model.Vocab } };
        start.Values.RequireFit(config);
        if (backend is not null)
        {
            MemoryCheck.RequireAtLeast(config, backend);
        }

        string hash = start.Values.Hash();
        if (config.Train.InitHash is { } expected && expected != hash)
        {
            throw new UserException($"{start.Values.Source}: is not what the run begins with: its SHA-256 is {hash}, train.initHash says {expected}");
        }

        config = config with { Train = config.Train with { Init = Path.GetFullPath(start.Folder), InitHash = hash } };
        return start;
    }

    /// <summary>Throws where the text has another tokenizer than the weights were trained with.</summary>
    public static void RequireTokenizer(SavedModel? start, LearningTask task)
    {
        if (start?.Tokenizer is not null && task.Tokenizer is { } own && !own.Serialize().AsSpan().SequenceEqual(start.Tokenizer.Serialize()))
        {
            throw new UserException(
                $"tokenizer: that of {task.Name} ({own.Name}, {own.Vocab} tokens) is not that of the weights to begin with ({start.Tokenizer.Name}, {start.Tokenizer.Vocab} tokens, {start.Folder}); leave the section out to take theirs");
        }
    }

    /// <summary>Reads them, where there are any; adapters that they do not have are drawn by the seed. Checkpoints leave out what of them is not trained.</summary>
    public static void Read(SavedModel? start, TrainSession session, Action<string>? note)
    {
        if (start is not null)
        {
            ParameterStore store = session.Model.Store;
            start.Values.Fill(store, new SeedSource((ulong)session.Config.Train.Seed));
            session.Left = start.Values.Names.Where(name => store.Find(name) is Parameter { Frozen: true }).ToHashSet();
            note?.Invoke($"beginning with the weights of {start.Folder}");
        }
    }

    // Optimizer and rate of a preset are those of a model that begins at random; they ruin one that came trained, and adapters want more than it.
    private static JsonObject FineTuning(SavedModel start, JsonObject settings)
    {
        bool adapters = start.Config.Model.Adapters.Count > 0 || (settings["model"] as JsonObject)?["adapters"] is JsonArray { Count: > 0 };
        bool chosen = settings.ContainsKey("preset") || (settings["train"] as JsonObject)?.ContainsKey("optimizer") == true;
        return chosen || (start.IsTrainedHere && !adapters)
            ? []
            : new JsonObject
            {
                ["optimizer"] = new JsonObject { [ConfigJson.Kind] = new AdamWConfig().Kind },
                ["learningRate"] = adapters ? AdapterLearningRate : FineTuningLearningRate,
            };
    }

    private static IEnumerable<ConfigProblem> Differences(string path, JsonNode? found, JsonNode? expected)
    {
        if (found is JsonObject a && expected is JsonObject b && JsonNode.DeepEquals(a[ConfigJson.Kind], b[ConfigJson.Kind]))
        {
            return a.Select(pair => pair.Key).Union(b.Select(pair => pair.Key)).SelectMany(key => Differences($"{path}.{key}", a[key], b[key]));
        }

        return JsonNode.DeepEquals(found, expected) ? [] : [new ConfigProblem(path, $"{ConfigJson.Show(found)} is not the {ConfigJson.Show(expected)}")];
    }
}
