using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>The settings of a run in layers: the preset, then files and single settings in the order in which they were added.</summary>
public sealed class ConfigTree : ConfigTree<RunConfig>
{
    private static readonly string[] s_limits = ["minutes", "tokens", "flops"];

    /// <summary>Starts from a preset: its name, or null to leave that to the key <c>preset</c> of the layers.</summary>
    public ConfigTree(string? preset = null) => Preset = preset;

    /// <summary>The preset asked for; it goes before the key <c>preset</c> of a layer.</summary>
    public string? Preset { get; }

    /// <inheritdoc/>
    protected override string Example => "model.layers=6";

    /// <inheritdoc/>
    public override ConfigTree AddFile(string path) => (ConfigTree)base.AddFile(path);

    /// <inheritdoc/>
    public override ConfigTree AddJson(string json, string source) => (ConfigTree)base.AddJson(json, source);

    /// <inheritdoc/>
    public override ConfigTree Set(string assignment) => (ConfigTree)base.Set(assignment);

    /// <inheritdoc/>
    public override ConfigTree Set(string key, JsonNode? value) => (ConfigTree)base.Set(key, value);

    /// <inheritdoc/>
    public override ConfigTree Add(ConfigOverlay<RunConfig> overlay) => (ConfigTree)base.Add(overlay);

    /// <summary>The resolved configuration.</summary>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public override RunConfig Build()
    {
        List<ConfigProblem> problems = NewProblems();
        JsonObject settings = Merged(Layers);
        if (Preset is not null)
        {
            settings["preset"] = Preset;
        }

        SavedModel? start = InitialWeights.Of(settings);
        IReadOnlyList<JsonObject> layers = start is null ? Layers : [InitialWeights.Layer(start, settings), .. Layers];
        string preset = PresetName(layers, problems);
        JsonObject tree = Merged(layers);
        tree.Remove("preset");
        LeaveStepsOpen(tree);
        RunConfig defaults = Presets.Of(preset);
        MovedKeys moved = MovedKeys.Apply(tree, defaults.Train.Optimizer);
        RunConfig config = WithUsualContext(Bind(tree, defaults, problems, moved.AsWritten), tree) with { Version = RunConfig.CurrentVersion };
        problems.AddRange(start is null ? [] : InitialWeights.Problems(start, config.Model));
        ThrowAny(problems);
        problems.AddRange(config.Validate());
        problems.AddRange(moved.Problems);
        ThrowAny(problems);
        return config.Resolve();
    }

    /// <inheritdoc/>
    protected override void Adding(JsonObject layer, string source)
    {
        if (layer["version"] is JsonValue value && value.TryGetValue(out double version))
        {
            if (version > RunConfig.CurrentVersion)
            {
                throw new UserException(FormattableString.Invariant(
                    $"{source}: is a configuration of version {version}; this NanoFold reads versions up to {RunConfig.CurrentVersion}: use a newer one"));
            }

            ConfigUpgrade.Apply(layer, version);
        }

        ConfigUpgrade.Names(layer);
    }

    /// <inheritdoc/>
    protected override void Merging(JsonObject tree, JsonObject layer) => MovedKeys.Forget(tree, layer);

    /// <inheritdoc/>
    protected override string? Meant(string key) => SettingAliases.Find(key);

    // A preset's context is that of text.
    private static RunConfig WithUsualContext(RunConfig config, JsonObject tree)
        => config.Task.UsualContext is { } context && (tree["model"] as JsonObject)?.ContainsKey("context") != true
            ? config with { Model = config.Model with { Context = context } }
            : config;

    // Another limit alone means as many steps as fit into it; with steps, whichever ends first.
    private static void LeaveStepsOpen(JsonObject tree)
    {
        if (tree["train"] is JsonObject train && !train.ContainsKey("steps") && s_limits.Any(key => train[key] is JsonValue value && value.TryGetValue(out double limit) && limit > 0))
        {
            train["steps"] = TrainConfig.Unbounded;
        }
    }

    private string PresetName(IReadOnlyList<JsonObject> layers, List<ConfigProblem> problems)
    {
        JsonNode? named = layers.Where(layer => layer.ContainsKey("preset")).Select(layer => layer["preset"] ?? JsonValue.Create("null")).LastOrDefault();
        string name = Preset ?? (named is JsonValue value && value.TryGetValue(out string? text) ? text : named is null ? Presets.Default : ConfigJson.Show(named));
        if (Presets.Names.Contains(name))
        {
            return name;
        }

        string meant = NearestName.Among(name, Presets.Names) is { } near ? $", did you mean \"{near}\"?" : "";
        problems.Add(new ConfigProblem("preset", $"unknown preset \"{name}\"{meant}; known: {string.Join(", ", Presets.Names)}"));
        return Presets.Default;
    }
}
