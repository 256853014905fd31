using System.Globalization;
using System.Text.Json;

namespace NanoFold.Server.Requests;

/// <summary>The fields of a request: each is asked for once with its type and range, and one that nobody asked for is an error, so that nothing is ignored unnoticed.</summary>
internal sealed class RequestFields
{
    private const int ShownLength = 40;

    private readonly Dictionary<string, JsonElement> _fields = [];
    private readonly HashSet<string> _asked = [];

    /// <param name="body">What has the fields.</param>
    /// <param name="name">The field that it is the value of; null for the body itself.</param>
    /// <exception cref="ApiException">It is no object, or has a field twice.</exception>
    public RequestFields(JsonElement body, string? name = null)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw name is null ? new ApiException(400, $"the body is {Shown(body)}; expected an object") : Wrong(name, body, "an object");
        }

        foreach (JsonProperty field in body.EnumerateObject())
        {
            if (!_fields.TryAdd(field.Name, field.Value))
            {
                throw ApiException.Field(field.Name, "is there twice");
            }
        }
    }

    /// <summary>A field that is there and not null.</summary>
    public JsonElement? Get(string name)
    {
        _asked.Add(name);
        return _fields.TryGetValue(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public string? Text(string name) => Get(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Wrong(name, value, "text"),
    };

    public bool? Flag(string name) => Get(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Wrong(name, value, "true or false"),
    };

    public long? Integer(string name, long least, long most) => Get(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetInt64(out long number) && number >= least && number <= most => number,
        { } value => throw Wrong(name, value, string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}")),
    };

    /// <param name="expected">The range, in words.</param>
    public double? Number(string name, Func<double, bool> isInRange, string expected) => Get(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when value.TryGetDouble(out double number) && double.IsFinite(number) && isInRange(number) => number,
        { } value => throw Wrong(name, value, $"a number {expected}"),
    };

    /// <summary>A field of the shape that this server cannot do: any value but the given ones, which ask for nothing, is an error.</summary>
    public void Refuse(string name, string why, Func<JsonElement, bool> asksForNothing)
    {
        if (Get(name) is { } value && !asksForNothing(value))
        {
            throw new ApiException(400, $"{name}: {why}", name, "unsupported_parameter");
        }
    }

    /// <summary>Fields that mean nothing here and change no text.</summary>
    public void Ignore(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            _asked.Add(name);
        }
    }

    /// <exception cref="ApiException">A field was not asked for.</exception>
    public void RequireKnown()
    {
        if (_fields.Keys.FirstOrDefault(name => !_asked.Contains(name)) is { } unknown)
        {
            throw new ApiException(400, $"{Cut(unknown)}: no such field; known are {string.Join(", ", _asked.Order(StringComparer.Ordinal))}", Cut(unknown), "unknown_parameter");
        }
    }

    /// <summary>A value that is not what was expected.</summary>
    public static ApiException Wrong(string name, JsonElement value, string expected) => ApiException.Field(name, $"is {Shown(value)}; expected {expected}");

    /// <summary>Whether a value is a text, and this one.</summary>
    public static bool Is(JsonElement value, string text) => value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static string Shown(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        _ => Cut(value.GetRawText()),
    };

    private static string Cut(string text) => text.Length <= ShownLength ? text : text[..ShownLength] + "…";
}
