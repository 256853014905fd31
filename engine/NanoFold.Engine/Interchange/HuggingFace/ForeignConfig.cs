using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace NanoFold.Engine.Interchange.HuggingFace;

/// <summary>
/// The keys of a foreign configuration, read one by one: each that is asked for counts as known. What is left over in the end is an error where it would change the
/// numbers, and otherwise listed. A key that is null is as one that is not there.
/// </summary>
public sealed class ForeignConfig
{
    private readonly JsonObject _keys;
    private readonly string _prefix;
    private readonly HashSet<string> _known;

    /// <param name="path">The file, for messages.</param>
    /// <param name="keys">Its object.</param>
    public ForeignConfig(string path, JsonObject keys)
        : this(path, keys, "", [])
    {
    }

    private ForeignConfig(string path, JsonObject keys, string prefix, HashSet<string> known)
    {
        (Path, _keys, _prefix, _known) = (path, keys, prefix, known);
    }

    /// <summary>The file, for messages.</summary>
    public string Path { get; }

    /// <summary>Tokens that a sequence is to have at most, whatever the keys say; null for what they say.</summary>
    public int? Context { get; init; }

    /// <summary>The keys of this object, read or not.</summary>
    public IEnumerable<string> Names => _keys.Select(pair => pair.Key);

    /// <summary>Whether a key is there and not null.</summary>
    public bool Has(string key) => Node(key) is not null;

    /// <summary>A whole number.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="otherwise">Where there is none; null where there must be one.</param>
    public int Integer(string key, int? otherwise = null) => Node(key) is not { } node ? otherwise ?? throw Missing(key)
        : NumberOf(node) is { } number && number == Math.Floor(number) && Math.Abs(number) <= int.MaxValue ? (int)number
        : throw Wrong(key, "a whole number");

    /// <summary>A whole number of things, from 1 to <paramref name="most"/>.</summary>
    public int Count(string key, int most, int? otherwise = null)
    {
        int count = Integer(key, otherwise);
        return count >= 1 && count <= most ? count : throw Fault(key, $"expected 1 to {most}");
    }

    /// <summary>A number; Infinity is one.</summary>
    /// <inheritdoc cref="Integer"/>
    public double Number(string key, double? otherwise = null) => Node(key) is not { } node ? otherwise ?? throw Missing(key)
        : NumberOf(node) ?? throw Wrong(key, "a number");

    /// <summary>True or false.</summary>
    /// <inheritdoc cref="Integer"/>
    public bool Flag(string key, bool? otherwise = null) => Node(key) is not { } node ? otherwise ?? throw Missing(key)
        : node.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? node.GetValueKind() == JsonValueKind.True
        : throw Wrong(key, "true or false");

    /// <summary>A text.</summary>
    /// <inheritdoc cref="Integer"/>
    public string Text(string key, string? otherwise = null) => Node(key) is not { } node ? otherwise ?? throw Missing(key)
        : node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>()
        : throw Wrong(key, "a text");

    /// <summary>Whether a word stands where a number may, such as <c>auto</c>.</summary>
    public bool Says(string key, string word) => Node(key) is { } node && node.GetValueKind() == JsonValueKind.String && node.GetValue<string>() == word;

    /// <summary>A list of numbers, or null.</summary>
    public double[]? Numbers(string key) => Node(key) is not { } node ? null
        : node is JsonArray list && list.Select(item => item is null ? null : NumberOf(item)).ToArray() is { } numbers && numbers.All(n => n is not null) ? [.. numbers.Select(n => n!.Value)]
        : throw Wrong(key, "a list of numbers");

    /// <summary>A list of texts, or null.</summary>
    public string[]? Texts(string key) => Node(key) is not { } node ? null
        : node is JsonArray list && list.All(item => item?.GetValueKind() == JsonValueKind.String) ? [.. list.Select(item => item!.GetValue<string>())]
        : throw Wrong(key, "a list of texts");

    /// <summary>An object, or null; its keys count by themselves.</summary>
    public ForeignConfig? Section(string key) => Node(key) is not { } node ? null
        : node is JsonObject keys ? new ForeignConfig(Path, keys, $"{_prefix}{key}.", _known) { Context = Context }
        : throw Wrong(key, "an object");

    /// <summary>Marks keys as known that cannot change the numbers.</summary>
    public void Leave(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            _known.Add(_prefix + key);
        }
    }

    /// <summary>The fault of a key.</summary>
    /// <param name="key">Its name.</param>
    /// <param name="message">What is wrong with it.</param>
    public UserException Fault(string key, string message) => new($"{Path}: {_prefix}{key}{(_keys[key] is { } node ? $" = {Show(node)}" : "")}: {message}");

    /// <summary>Throws where a key has a value that is not supported.</summary>
    /// <param name="key">Its name.</param>
    /// <param name="isSupported">Of what is there; null, false and empty values always are.</param>
    /// <param name="message">What is not supported.</param>
    public void Require(string key, Func<JsonNode, bool> isSupported, string message)
    {
        if (Node(key) is { } node && !IsNothing(node) && !isSupported(node))
        {
            throw Fault(key, message);
        }
    }

    /// <summary>What is left over: throws where it would change the numbers.</summary>
    /// <returns>The keys that nobody has read, with their values.</returns>
    /// <exception cref="UserException">Names the key.</exception>
    public IReadOnlyList<string> LeftOver()
    {
        List<string> left = [];
        foreach ((string key, JsonNode? node) in _keys)
        {
            if (_known.Contains(_prefix + key) || ForeignKeys.Harmless.Contains(key))
            {
                continue;
            }

            if (node is not null && !IsNothing(node) && ForeignKeys.WhyNot(key, node) is { } reason)
            {
                throw Fault(key, reason);
            }

            left.Add($"{_prefix}{key} = {Show(node)}");
        }

        return left;
    }

    /// <summary>A number of any form, or null.</summary>
    internal static double? NumberOf(JsonNode node)
    {
        if (node.GetValueKind() == JsonValueKind.String)
        {
            // The words that stand for numbers.
            return node.GetValue<string>() switch { "Infinity" => double.PositiveInfinity, "-Infinity" => double.NegativeInfinity, "NaN" => double.NaN, _ => null };
        }

        return node.GetValueKind() == JsonValueKind.Number && double.TryParse(node.ToJsonString(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            ? number
            : null;
    }

    private static bool IsNothing(JsonNode node) => node.GetValueKind() == JsonValueKind.False || node is JsonArray { Count: 0 } or JsonObject { Count: 0 };

    private static string Show(JsonNode? node)
    {
        string text = node?.ToJsonString() ?? "null";
        return text.Length <= 60 ? text : text[..57] + "...";
    }

    private JsonNode? Node(string key)
    {
        _known.Add(_prefix + key);
        return _keys[key];
    }

    private UserException Missing(string key) => new($"{Path}: has no {_prefix}{key}, which the model needs");

    private UserException Wrong(string key, string expected) => Fault(key, $"expected {expected}");
}
