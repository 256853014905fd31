using System.Globalization;
using System.Text.Json;

namespace NanoFold.Engine.Runs.Scoring.Formats;

/// <summary>The members of a line of questions; whatever is not as expected is a line that says where.</summary>
/// <param name="element">An object.</param>
/// <param name="place">File and line, for messages.</param>
/// <param name="labelBeside">The line's answer in a file beside.</param>
internal sealed class ItemFields(JsonElement element, string place, Func<string?> labelBeside)
{
    /// <summary>File and line.</summary>
    public string Place => place;

    public bool Has(string name) => element.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>A text; a number reads as it is written.</summary>
    public string Text(string name) => Find(name) is { ValueKind: JsonValueKind.String or JsonValueKind.Number } value
        ? AsText(value)
        : throw Expected(name, "text");

    /// <summary>A whole number, which may be written as text.</summary>
    public int Number(string name) => int.TryParse(Text(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
        ? number
        : throw new UserException($"{place}: \"{name}\" is \"{Text(name)}\", expected the number of the right choice{(Text(name).Length == 0 ? "; name a file with answers" : "")}");

    public string[] Texts(string name)
    {
        if (Find(name) is not { ValueKind: JsonValueKind.Array } array || array.EnumerateArray().Any(item => item.ValueKind is not (JsonValueKind.String or JsonValueKind.Number)))
        {
            throw Expected(name, "a list of texts");
        }

        return [.. array.EnumerateArray().Select(AsText)];
    }

    /// <summary>A list of objects.</summary>
    public IReadOnlyList<ItemFields> Objects(string name) =>
        Find(name) is { ValueKind: JsonValueKind.Array } array && array.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Object)
            ? [.. array.EnumerateArray().Select(item => new ItemFields(item, place, labelBeside))]
            : throw Expected(name, "a list of objects");

    /// <summary>An object; null where there is something else.</summary>
    public ItemFields? Inside(string name) => Find(name) is { ValueKind: JsonValueKind.Object } value ? new ItemFields(value, place, labelBeside) : null;

    /// <summary>An object.</summary>
    public ItemFields Require(string name) => Inside(name) ?? throw Expected(name, "an object");

    /// <summary>The answer in the file of labels beside.</summary>
    public int LabelBeside() => labelBeside() is { } label
        ? int.TryParse(label, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : throw new UserException($"{place}: its label beside is '{label}', expected a number")
        : throw new UserException($"{place}: has no \"label\", nor is there a line for it in a file of labels beside (NAME-labels.lst)");

    /// <summary>A question with choices.</summary>
    /// <param name="context">What stands before.</param>
    /// <param name="choices">Without the space before each.</param>
    /// <param name="gold">The right one.</param>
    public ScoredItem Choice(string context, IReadOnlyList<string> choices, int gold) =>
        choices.Count < 2 ? throw new UserException($"{place}: has {choices.Count} choices, expected at least 2")
        : choices.Any(choice => choice.Length == 0) ? throw new UserException($"{place}: one of its choices is empty")
        : gold < 0 || gold >= choices.Count ? throw new UserException($"{place}: its answer is none of its {choices.Count} choices")
        : new ScoredItem(place, context, choices, gold);

    private JsonElement? Find(string name) => element.TryGetProperty(name, out JsonElement value) ? value : null;

    private string AsText(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
        }
        catch (InvalidOperationException e)
        {
            // Half of a pair of UTF-16, escaped.
            throw new UserException($"{place}: has a text that is no Unicode", e);
        }
    }

    private UserException Expected(string name, string what) => new($"{place}: {(Has(name) ? $"\"{name}\" is not what was expected, {what}" : $"has no \"{name}\", expected {what}")}");
}
