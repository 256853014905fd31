using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>
/// A kind of model that transformers has a class for: how its configuration is one of ours and back, and how its tensors are our parameters. An architecture is a record in a
/// file, with a line in <see cref="All"/>.
/// </summary>
public abstract record Architecture
{
    // Parts of a model that a message names.
    private const int MostNamed = 3;

    // How it is said that nothing of a model can be read back.
    private const string Whole = "the model: ";

    /// <summary>All that are supported.</summary>
    public static IReadOnlyList<Architecture> All { get; } =
    [
        new Llama(),
        new Mistral(),
        new Mixtral(),
        new Qwen2(),
        new Qwen3(),
        new Qwen3Moe(),
        new Phi3(),
        new SmolLm3(),
        new Olmo2(),
        new Olmo3(),
        new DiffLlama(),
        new GptOss(),
        new DeepSeekV3(),
        new Gemma(),
        new Gemma2(),
        new Gemma3Text(),
        new Gpt2(),
        new GptNeoX(),
        new Phi(),
        new StableLm(),
        new Cohere(),
        new Mamba(),
        new Mamba2(),
        new Lfm2(),
        new RecurrentGemma(),
        new MiniMax(),
        new Rwkv(),
        new Xlstm(),
        new Jamba(),
        new Bamba(),
        new FalconH1(),
        new Qwen3Next(),
    ];

    /// <summary>Its <c>model_type</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The class that transformers makes of it, for <c>architectures</c>.</summary>
    public abstract string ClassName { get; }

    /// <summary>What tensors of the body are called before all else; some files leave it out.</summary>
    public virtual string Prefix => "model.";

    /// <summary>Reads a configuration; all keys are asked for that could change the numbers.</summary>
    /// <exception cref="UserException">A key is missing, wrong, or asks for what is not supported; names it.</exception>
    public abstract ModelConfig Read(ForeignConfig keys);

    /// <summary>How one of our parameters is made of theirs.</summary>
    /// <param name="ours">Its name and shape.</param>
    /// <param name="model">The model, resolved.</param>
    protected abstract TensorRule RuleOf(WeightInfo ours, ModelConfig model);

    /// <summary>The keys of a model of ours. What of it cannot be said in them is found by reading them back.</summary>
    protected abstract JsonObject Keys(ModelConfig model);

    /// <summary>A model of ours without the settings that have no effect in this architecture, such as heads where nothing has any: they are no difference.</summary>
    protected virtual ModelConfig Meant(ModelConfig model) => model;

    /// <summary>The rules of all our parameters, in our order.</summary>
    /// <param name="model">Resolved, the vocabulary known.</param>
    public IEnumerable<TensorRule> Tensors(ModelConfig model) => Parameters(model).Select(parameter => RuleOf(parameter, model));

    /// <summary>Tensors that files may hold and that are no weights: tables that are computed, a head that is the embedding.</summary>
    public virtual NameGlobs LeftOut(ModelConfig model) =>
        new(Name, ["*.rotary_emb.inv_freq", .. model.Tied ? [Head] : Array.Empty<string>()]);

    /// <summary>What their head is called.</summary>
    protected virtual string Head => "lm_head.weight";

    /// <summary>The configuration of a model of ours as this architecture has it.</summary>
    /// <param name="model">Resolved, the vocabulary known.</param>
    /// <exception cref="UserException">A part of the model has no place in it; names the first.</exception>
    public JsonObject Write(ModelConfig model)
    {
        if (WhyNot(model) is { } reason)
        {
            throw new UserException(reason);
        }

        return KeysOf(model);
    }

    /// <summary>Why a model of ours is none of this architecture, in a line that names the setting; null where it is one.</summary>
    public string? WhyNot(ModelConfig model) => Unsaid(model) is [{ } first, ..] ? $"{Name} cannot express {first}" : null;

    /// <summary>What of a model of ours has no place in this architecture, each with its setting; empty where it is one.</summary>
    public IReadOnlyList<string> Unsaid(ModelConfig model)
    {
        ModelConfig back;
        try
        {
            back = Read(new ForeignConfig(Name, KeysOf(model)) { Context = model.Context }).Resolve();
        }
        catch (UserException e)
        {
            return [Whole + e.Message];
        }
        catch (ArithmeticException)
        {
            return [Whole + "its sizes make none of this architecture"];
        }

        return Unsaid(model, back);
    }

    /// <summary>What of a model of ours is other in another, or has no place in files of weights at all.</summary>
    /// <param name="model">Ours.</param>
    /// <param name="back">What the keys of a format make of it.</param>
    internal IReadOnlyList<string> Unsaid(ModelConfig model, ModelConfig back)
    {
        JsonNode ours = Compared(ExpertRules.OneByOne(model)), theirs = Compared(back);
        string[] differences = [.. Differences("model", ours, theirs)];
        return
        [
            .. model.Adapters.Count > 0 ? ["model.adapters; merge them into the weights first"] : Array.Empty<string>(),
            .. model.Parametrization.Ratio(model.Width) != 1 ? ["model.parametrization"] : Array.Empty<string>(),
            // What holds of the first layer stands at the model itself, and is not said again of others.
            .. differences.Where(difference => OfModel(difference) is not { } same || !differences.Contains(same)),
        ];

        JsonNode Compared(ModelConfig config) => ConfigWriter.ToTree(ComparedModel.Of(Meant(ComparedModel.WithSizes(config))), typeof(ModelConfig))!;
    }

    /// <summary>The architecture that a model of ours is one of: the first that has a place for all of its parts.</summary>
    /// <param name="model">Resolved, the vocabulary known.</param>
    /// <exception cref="UserException">There is none; names the nearest, and what has no place in it.</exception>
    public static Architecture For(ModelConfig model)
    {
        (Architecture architecture, IReadOnlyList<string> unsaid) = All.Select(one => (one, one.Unsaid(model)))
            .MinBy(pair => (pair.Item2.Sum(Distance), pair.Item2.Count));
        return unsaid.Count == 0 ? architecture : throw new UserException(
            $"no architecture of transformers has all parts of this model; the nearest, {architecture.Name}, cannot express {string.Join("; ", unsaid.Take(MostNamed))}{(unsaid.Count > MostNamed ? $"; and {unsaid.Count - MostNamed} more" : "")}");
    }

    /// <summary>The architecture that a configuration names.</summary>
    /// <exception cref="UserException">It names none, or one that is not supported.</exception>
    public static Architecture Of(ForeignConfig keys)
    {
        string[] classes = keys.Texts("architectures") ?? [];
        string name = keys.Text("model_type", "");
        Architecture? found = name.Length > 0 ? All.FirstOrDefault(architecture => architecture.Name == name)
            : All.FirstOrDefault(architecture => classes.Contains(architecture.ClassName)) ?? (keys.Has("n_embd") ? All.FirstOrDefault(architecture => architecture is Gpt2) : null);
        return found ?? throw new UserException($"{keys.Path}: models of type {(name.Length > 0 ? $"'{name}'" : $"'{string.Join(", ", classes)}'")} are not supported; those that are: {string.Join(", ", All.Select(architecture => architecture.Name))}");
    }

    /// <summary>Our parameters and their shapes, in our order; nothing is allocated for them.</summary>
    public static IReadOnlyList<WeightInfo> Parameters(ModelConfig model)
    {
        using var backend = new NullBackend();
        using var transformer = new Transformer(model, backend, source: null, trains: null);
        return [.. transformer.Store.Tensors.Select(tensor => new WeightInfo(tensor.Name, tensor.Layout.ToShape(), "F32"))];
    }

    private JsonObject KeysOf(ModelConfig model)
    {
        JsonObject keys = Keys(ExpertRules.OneByOne(model));
        keys["architectures"] = new JsonArray(ClassName);
        keys["model_type"] = Name;
        keys["dtype"] = "float32";
        return keys;
    }

    // A part of another kind is farther away than any settings are, and farthest is what cannot be read back.
    private static int Distance(string unsaid) => unsaid.StartsWith(Whole, StringComparison.Ordinal) ? short.MaxValue : unsaid.Contains(" = {", StringComparison.Ordinal) ? 1 : 0;

    // What a difference in a layer would be in all of them; null of others.
    private static string? OfModel(string difference) =>
        difference.Split('.', 4) is ["model", "pattern", _, { } rest] ? $"model.{rest}" : null;

    private static IEnumerable<string> Differences(string path, JsonNode? ours, JsonNode? theirs)
    {
        if (ours is JsonObject a && theirs is JsonObject b && JsonNode.DeepEquals(a[ConfigJson.Kind], b[ConfigJson.Kind]))
        {
            return a.Select(pair => pair.Key).Union(b.Select(pair => pair.Key)).SelectMany(key => Differences($"{path}.{key}", a[key], b[key]));
        }

        return ours is JsonArray c && theirs is JsonArray d && c.Count == d.Count
            ? Enumerable.Range(0, c.Count).SelectMany(i => Differences($"{path}.{i}", c[i], d[i]))
            : JsonNode.DeepEquals(ours, theirs) ? [] : [$"{path} = {ConfigJson.Show(ours)}"];
    }
}
