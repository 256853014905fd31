using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>
/// Settings in layers: files and single settings in the order in which they were added, each over the ones before. <see cref="Build"/> binds them to a record
/// and names every problem of the whole at once, with file and line.
/// </summary>
/// <typeparam name="T">
/// The record of the whole: its properties are sections, numbers, texts, choices, kinds, lists (<see cref="IReadOnlyList{T}"/>), records by name
/// (<see cref="IReadOnlyDictionary{TKey, TValue}"/>) or settings for another record (<see cref="ConfigOverlay{T}"/>).
/// </typeparam>
public class ConfigTree<T>
    where T : class, new()
{
    private readonly List<ConfigProblem> _problems = [];
    private readonly ConfigPlaces _places = new();
    private readonly List<JsonObject> _layers = [];

    /// <summary>What was added, in order.</summary>
    protected IReadOnlyList<JsonObject> Layers => _layers;

    /// <summary>A setting such as messages give for an example: its key, then <c>=</c> and a value.</summary>
    protected virtual string Example => $"{ConfigSchema.Keys(typeof(T))[0].Name}=...";

    /// <summary>Adds a JSON file; comments and trailing commas are allowed.</summary>
    /// <exception cref="UserException">The file cannot be read, is not JSON, or is of a newer version.</exception>
    public virtual ConfigTree<T> AddFile(string path) => AddJson(ConfigJson.Read(path), path);

    /// <summary>Adds JSON text; <paramref name="source"/> names it in messages.</summary>
    /// <exception cref="UserException">It is not a JSON object, or of a newer version.</exception>
    public virtual ConfigTree<T> AddJson(string json, string source)
    {
        try
        {
            JsonObject layer = ConfigJson.Parse(json) as JsonObject ?? throw new UserException($"{source}: expected a JSON object with {Keys} such as \"{Example.Split('.', '=')[0]}\"");
            _places.AddFile(json, source);
            return Add(layer, source);
        }
        catch (JsonException e)
        {
            if (ConfigLines.FirstTwice(json) is { } twice)
            {
                throw new UserException(FormattableString.Invariant($"{source}:{twice.Line}: {twice.Key}: is there twice"), e);
            }

            string place = e.LineNumber is { } line ? $"line {line + 1}, column {e.BytePositionInLine + 1}: " : "";
            throw new UserException($"{source}: {place}not valid JSON: {ConfigJson.Reason(e)}", e);
        }
    }

    /// <summary>Adds one setting, <c>model.mixer.window=64</c>. The value is JSON where it parses as such, otherwise a string.</summary>
    public virtual ConfigTree<T> Set(string assignment)
    {
        int equals = assignment.IndexOf('=');
        if (equals <= 0)
        {
            _problems.Add(new ConfigProblem(assignment, $"expected key=value, such as {Example}"));
            return this;
        }

        string key = assignment[..equals].Trim();
        string text = assignment[(equals + 1)..];
        return Set(key, ParseValue(key, text));
    }

    /// <summary>Adds one setting by its dotted key.</summary>
    public virtual ConfigTree<T> Set(string key, JsonNode? value)
    {
        string[] path = key.Split('.');
        if (path.Any(string.IsNullOrWhiteSpace))
        {
            _problems.Add(new ConfigProblem(key, $"expected a dotted key, such as {Example.Split('=')[0]}"));
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

    /// <summary>Adds settings that a record for another purpose holds; problems in them are told with its files and lines.</summary>
    public virtual ConfigTree<T> Add(ConfigOverlay<T> overlay)
    {
        _places.Add(overlay.Places);
        return Add((JsonObject)overlay.Tree.DeepClone(), "settings");
    }

    /// <summary>The record.</summary>
    /// <exception cref="ConfigException">With every problem there is.</exception>
    public virtual T Build()
    {
        List<ConfigProblem> problems = NewProblems();
        T read = Bind(Merged(Layers), new T(), problems);
        problems.AddRange((read as IValidated)?.Validate() ?? []);
        ThrowAny(problems);
        return read;
    }

    /// <summary>Called with every layer before it is added, which it may change; <paramref name="source"/> is its file, or the key that was set.</summary>
    protected virtual void Adding(JsonObject layer, string source)
    {
    }

    /// <summary>Called with the layers laid over each other up to one, and with that one.</summary>
    protected virtual void Merging(JsonObject tree, JsonObject layer)
    {
    }

    /// <summary>The key that a name of another tool stands for, or null.</summary>
    protected virtual string? Meant(string key) => null;

    /// <summary>Where each setting stands.</summary>
    private protected ConfigPlaces Places => _places;

    /// <summary>Notes what is wrong with a layer, to be told with all else.</summary>
    private protected void Refuse(ConfigProblem problem) => _problems.Add(problem);

    /// <summary>What was wrong with what was added.</summary>
    protected List<ConfigProblem> NewProblems() => [.. _problems];

    /// <summary>Layers laid over each other.</summary>
    protected JsonObject Merged(IReadOnlyList<JsonObject> layers)
    {
        var tree = new JsonObject();
        foreach (JsonObject layer in layers)
        {
            ConfigMerge.Apply(tree, layer, typeof(T));
            Merging(tree, layer);
        }

        return tree;
    }

    /// <summary>The record that a tree describes, its other keys as in <paramref name="defaults"/>.</summary>
    /// <param name="tree">Layers laid over each other.</param>
    /// <param name="defaults">Whose values are taken where the tree has none.</param>
    /// <param name="problems">Those known before, to be told with what is found.</param>
    /// <param name="asWritten">What is found in other words, where the tree does not have the keys that were written; null for none.</param>
    /// <exception cref="ConfigException">There are problems.</exception>
    protected T Bind(JsonObject tree, T defaults, List<ConfigProblem> problems, Func<ConfigProblem, ConfigProblem>? asWritten = null)
    {
        var found = new List<ConfigProblem>();
        var read = (T)new ConfigReader(typeof(T), found, Meant, _places).Read(tree, defaults);
        ThrowAny([.. problems, .. asWritten is null ? found : found.Select(asWritten)]);
        return read;
    }

    /// <summary>Throws where there are problems, each with its place.</summary>
    protected void ThrowAny(List<ConfigProblem> problems)
    {
        if (problems.Count > 0)
        {
            throw new ConfigException([.. problems.Select(_places.Locate)]);
        }
    }

    private static string Keys => ConfigSchema.Keys(typeof(T)).Any(key => ConfigSchema.IsSection(key.Type)) ? "sections" : "keys";

    private ConfigTree<T> Add(JsonObject layer, string source)
    {
        Adding(layer, source);
        _layers.Add(layer);
        return this;
    }

    /// <summary>The value of a single setting: JSON where the text parses as such, otherwise a string.</summary>
    internal static JsonNode? ParseValue(string key, string text)
    {
        try
        {
            JsonNode? value = ConfigJson.Parse(text);
            bool isText = value?.GetValueKind() is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False
                && ConfigKeys.TypeAt(typeof(T), key.Split('.')) == typeof(string);
            return isText ? JsonValue.Create(text) : value;
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }
}
