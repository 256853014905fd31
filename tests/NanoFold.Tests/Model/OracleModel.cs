using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>A reference case: the model that its <c>config</c> entry describes, with its weights.</summary>
internal sealed class OracleModel : IDisposable
{
    private readonly SafeTensorsFile _file;

    public OracleModel(string path, Backend backend, DType type)
    {
        _file = SafeTensorsFile.Open(path);
        using JsonDocument document = JsonDocument.Parse(_file.Metadata["config"]);
        Config = Read(document.RootElement);
        LearningRate = document.RootElement.TryGetProperty("mixerOptions", out _) ? 3e-3 : 1e-2;
        Batch = document.RootElement.GetProperty("batch").GetInt32();
        Model = new Transformer(Config, backend, type: type);
        foreach (Parameter parameter in Model.Store.Parameters)
        {
            Host.Write(Model.Store, parameter, Find("", parameter));
        }
    }

    /// <summary>Whether the engine has the kinds that a case is made of.</summary>
    public static bool IsKnown(string path)
    {
        using var file = SafeTensorsFile.Open(path);
        using JsonDocument document = JsonDocument.Parse(file.Metadata["config"]);
        JsonElement config = document.RootElement;
        bool isAdded = !config.TryGetProperty("residual", out JsonElement residual) || Variant.Of<ResidualConfig>().Any(variant => variant.Kind == residual.GetString());
        return isAdded && TypeOf<MixerConfig>(config, "mixer") is { } mixer && MixerReference.Of(mixer).Read(config) is not null
            && TypeOf<FeedForwardConfig>(config, "feedForward") is not null;
    }

    public ModelConfig Config { get; }

    /// <summary>Of the ten AdamW steps.</summary>
    public double LearningRate { get; }

    public int Batch { get; }

    public Transformer Model { get; }

    public int[] Integers(string name)
    {
        var values = new int[_file[name].Count];
        _file.Read(name, values);
        return values;
    }

    public double[] Reals(string name)
    {
        var values = new double[_file[name].Count];
        _file.Read(name, values);
        return values;
    }

    public double[] Gradient(Parameter parameter) => Find("grad.", parameter);

    public void Dispose()
    {
        Model.Dispose();
        _file.Dispose();
    }

    // The engine stacks the experts' matrices; its shared experts are one wide feed-forward.
    private double[] Find(string prefix, Parameter parameter)
    {
        if (_file.Find(prefix + parameter.Name) is not null)
        {
            return Reals(prefix + parameter.Name);
        }

        string parts = parameter.Name.Contains(".shared_experts.", StringComparison.Ordinal) ? ".shared_experts." : ".experts.";
        string[] names = [.. Enumerable.Range(0, Config.FeedForward is MoeConfig moe ? Math.Max(moe.Experts, moe.Shared) : 0)
            .Select(e => prefix + parameter.Name.Replace(parts, $"{parts}{e}.", StringComparison.Ordinal))
            .TakeWhile(name => _file.Find(name) is not null)];
        double[][] matrices = [.. names.Select(Reals)];
        double[] joined = parts == ".shared_experts." && parameter.Name.Contains("down_proj", StringComparison.Ordinal)
            ? SideBySide(matrices, Config.Width)
            : [.. matrices.SelectMany(m => m)];
        return joined.Length == parameter.Layout.Count
            ? joined
            : throw new InvalidDataException($"{_file.Path}: {joined.Length} values in {names.Length} tensors for {prefix}{parameter}");
    }

    private static double[] SideBySide(double[][] matrices, int rows) =>
        [.. Enumerable.Range(0, rows).SelectMany(row => matrices.SelectMany(m => m.Skip(row * (m.Length / rows)).Take(m.Length / rows)))];

    private static ModelConfig Read(JsonElement config)
    {
        int Number(string key) => config.GetProperty(key).GetInt32();
        bool Flag(string key) => config.TryGetProperty(key, out JsonElement flag) && flag.GetBoolean();
        return new ModelConfig
        {
            Layers = Number("layers"),
            Width = Number("width"),
            Heads = Number("heads"),
            KvHeads = Number("kvHeads"),
            Context = Number("context"),
            Vocab = Number("vocab"),
            Hidden = Number("hidden"),
            QkNorm = Flag("qkNorm"),
            Tied = Flag("tied"),
            NormEpsilon = config.GetProperty("eps").GetDouble(),
            RopeBase = config.GetProperty("ropeBase").GetDouble(),
            Position = config.TryGetProperty("position", out JsonElement position) && position.GetString() == "none" ? PositionKind.None : PositionKind.Rope,
            Mixer = MixerReference.Of(TypeOf<MixerConfig>(config, "mixer")!).Read(config)!,
            FeedForward = FeedForwardReference.Of(TypeOf<FeedForwardConfig>(config, "feedForward")!).Read(config),
        };
    }

    private static Type? TypeOf<TConfig>(JsonElement config, string key) =>
        Variant.Of<TConfig>().FirstOrDefault(variant => variant.Kind == config.GetProperty(key).GetString())?.Type;
}
