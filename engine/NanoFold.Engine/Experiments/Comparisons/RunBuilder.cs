using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>Builds the configurations of a comparison in layers: the preset, the base, the options, a variant, what was decided for it.</summary>
/// <param name="file">The comparison.</param>
/// <param name="options">What it is planned with.</param>
internal sealed class RunBuilder(ComparisonFile file, PlanOptions options)
{
    // µP with the width of the search as its base; null for the parametrization that settings name.
    private JsonObject? _transfer;

    /// <summary>From now on in the parametrization in which rates of the search's width are taken over.</summary>
    /// <param name="small">The base at that width.</param>
    public void Transfer(RunConfig small)
        => _transfer = new JsonObject { ["kind"] = "mup", ["baseWidth"] = small.Model.Width, ["baseHeadDim"] = small.Model.HeadDim };

    /// <summary>The base, or a variant.</summary>
    /// <param name="variant">What it changes; null for the base.</param>
    /// <param name="extra">Settings laid over all others.</param>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public RunConfig Build(ConfigOverlay<RunConfig>? variant, params IReadOnlyList<(string Key, JsonNode Value)> extra)
    {
        ConfigTree tree = new ConfigTree(options.Preset).Set("train.detailedEvaluation", JsonValue.Create(true));
        if (_transfer is not null)
        {
            tree.Set("model.parametrization", _transfer);
        }

        tree.Add(file.Base);
        foreach (string setting in options.Settings)
        {
            tree.Set(setting);
        }

        if (variant is not null)
        {
            tree.Add(variant);
        }

        foreach ((string key, JsonNode value) in extra)
        {
            tree.Set(key, value);
        }

        tree.Set("train.seed", JsonValue.Create(file.Seeds.FirstOrDefault()));
        return options.WithVocab(tree.Build());
    }

    /// <summary>All settings of a configuration; what its text decides is left to the runs.</summary>
    public static ConfigOverlay<RunConfig> Whole(RunConfig config) => ConfigOverlay<RunConfig>.Of((JsonObject)JsonNode.Parse(Open(config).ToJson())!);

    private static RunConfig Open(RunConfig config) => FullPaths.Of(config.Task.IsText && config.Tokenizer is Data.BpeTokenizerConfig ? config with { Model = config.Model with { Vocab = 0 } } : config);
}
