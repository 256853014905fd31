using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Settings in layers: the preset, then files and single settings in the order in which they were added, each over the ones before.
/// <see cref="Build"/> names every problem of the whole at once.
/// </summary>
public sealed class ConfigTree
{
    private const int LargestFileBytes = 1 << 20;

    private readonly List<JsonObject> _layers = [];
    private readonly List<ConfigProblem> _problems = [];
    private readonly ConfigPlaces _places = new();

    /// <summary>Starts from a preset: its name, or null to leave that to the key <c>preset</c> of the layers.</summary>
    public ConfigTree(string? preset = null) => Preset = preset;

    /// <summary>The preset asked for; it goes before the key <c>preset</c> of a layer.</summary>
    public string? Preset { get; }

    /// <summary>Adds a JSON file; comments and trailing commas are allowed.</summary>
    /// <exception cref="UserException">The file cannot be read, is not JSON, or is of a newer version.</exception>
    public ConfigTree AddFile(string path)
    {
        string text;
        try
        {
            text = ReadText(path);
        }
        catch (Exception e) when (FileFault.Is(e) || e is ArgumentException)
        {
            throw FileFault.Describe("cannot read", path, e);
        }

        return AddJson(text, path);
    }

    /// <summary>Adds JSON text; <paramref name="source"/> names it in messages.</summary>
    /// <exception cref="UserException">It is not a JSON object, or of a newer version.</exception>
    public ConfigTree AddJson(string json, string source)
    {
        try
        {
            JsonObject layer = ConfigJson.Parse(json) as JsonObject ?? throw new UserException($"{source}: expected a JSON object with sections such as \"model\"");
            _places.AddFile(json, source);
            return Add(layer, source);
        }
        catch (JsonException e)
        {
            string place = e.LineNumber is { } line ? $"line {line + 1}, column {e.BytePositionInLine + 1}: " : "";
            throw new UserException($"{source}: {place}not valid JSON: {Reason(e)}", e);
        }
    }

    /// <summary>Adds one setting, <c>model.mixer.window=64</c>. The value is JSON where it parses as such, otherwise a string.</summary>
    public ConfigTree Set(string assignment)
    {
        int equals = assignment.IndexOf('=');
        if (equals <= 0)
        {
            _problems.Add(new ConfigProblem(assignment, "expected key=value, such as model.layers=6"));
            return this;
        }

        string key = assignment[..equals].Trim();
        string text = assignment[(equals + 1)..];
        return Set(key, ParseValue(key, text));
    }

    /// <summary>Adds one setting by its dotted key.</summary>
    public ConfigTree Set(string key, JsonNode? value)
    {
        string[] path = key.Split('.');
        if (path.Any(string.IsNullOrWhiteSpace))
        {
            _problems.Add(new ConfigProblem(key, "expected a dotted key, such as model.layers"));
            return this;
        }

        JsonNode? node = value?.DeepClone();
        foreach (string part in path.Reverse())
        {
            node = new JsonObject { [part] = node };
        }

        _places.Forget(key);
        return Add((JsonObject)node!, key);
    }

    /// <summary>The resolved configuration.</summary>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public RunConfig Build()
    {
        var problems = new List<ConfigProblem>(_problems);
        SavedModel? start = InitialWeights.Of(Merged(_layers));
        IReadOnlyList<JsonObject> layers = start is null ? _layers : [InitialWeights.Layer(start), .. _layers];
        string preset = PresetName(layers, problems);
        JsonObject tree = Merged(layers);
        tree.Remove("preset");
        LeaveStepsToTheTime(tree);
        RunConfig defaults = Presets.Of(preset);
        MovedKeys moved = MovedKeys.Apply(tree, defaults.Train.Optimizer);
        var found = new List<ConfigProblem>();
        var read = (RunConfig)new ConfigReader(typeof(RunConfig), found, SettingAliases.Find).Read(tree, defaults);
        problems.AddRange(found.Select(moved.AsWritten));
        RunConfig config = read with { Version = RunConfig.CurrentVersion };
        ThrowAny(problems);
        problems.AddRange(start is null ? [] : InitialWeights.Problems(start, config.Model));
        ThrowAny(problems);
        problems.AddRange(config.Validate());
        problems.AddRange(moved.Problems);
        ThrowAny(problems);
        return config.Resolve();
    }

    // Minutes alone mean as many steps as fit; with steps, whichever ends first.
    private static void LeaveStepsToTheTime(JsonObject tree)
    {
        if (tree["train"] is JsonObject train && !train.ContainsKey("steps") && train["minutes"] is JsonValue value && value.TryGetValue(out double minutes) && minutes > 0)
        {
            train["steps"] = TrainConfig.Unbounded;
        }
    }

    private static JsonObject Merged(IReadOnlyList<JsonObject> layers)
    {
        var tree = new JsonObject();
        foreach (JsonObject layer in layers)
        {
            ConfigMerge.Apply(tree, layer, typeof(RunConfig));
            MovedKeys.Forget(tree, layer);
        }

        return tree;
    }

    private void ThrowAny(List<ConfigProblem> problems)
    {
        if (problems.Count > 0)
        {
            throw new ConfigException([.. problems.Select(_places.Locate)]);
        }
    }

    // Bounded by what is read, not by the length that the file claims: devices and pipes have none.
    private static string ReadText(string path)
    {
        using FileStream file = File.OpenRead(path);
        var bytes = new byte[LargestFileBytes + 1];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length > LargestFileBytes)
        {
            throw new UserException($"{path}: is longer than the {LargestFileBytes} bytes that a configuration may have");
        }

        using var reader = new StreamReader(new MemoryStream(bytes, 0, length));
        return reader.ReadToEnd();
    }

    private static string Reason(JsonException e)
    {
        // The message ends with the position again, counted from 0.
        int end = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? e.Message : e.Message[..end];
    }

    private static JsonNode? ParseValue(string key, string text)
    {
        try
        {
            JsonNode? value = ConfigJson.Parse(text);
            bool isText = value?.GetValueKind() is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False
                && ConfigKeys.TypeAt(typeof(RunConfig), key.Split('.')) == typeof(string);
            return isText ? JsonValue.Create(text) : value;
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }

    private ConfigTree Add(JsonObject layer, string source)
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
        _layers.Add(layer);
        return this;
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
