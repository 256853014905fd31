using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace NanoFold.Engine;

/// <summary>
/// JSON has no infinity and no NaN. Whatever the program writes holds such a figure as null: writers take <see cref="WriteFigure(Utf8JsonWriter, ReadOnlySpan{byte}, double)"/>,
/// records <see cref="Converter"/>, and trees are passed through <see cref="Clean"/>.
/// </summary>
public static class FiniteJson
{
    /// <summary>For the options of a serializer: writes such a figure as null, and reads null as NaN.</summary>
    public static JsonConverter<double> Converter { get; } = new FigureConverter();

    /// <summary>Writes a figure, null where it is not finite.</summary>
    public static void WriteFigure(this Utf8JsonWriter json, ReadOnlySpan<byte> name, double value)
    {
        json.WritePropertyName(name);
        WriteFigure(json, value);
    }

    /// <inheritdoc cref="WriteFigure(Utf8JsonWriter, ReadOnlySpan{byte}, double)"/>
    public static void WriteFigure(this Utf8JsonWriter json, ReadOnlySpan<byte> name, long value) => json.WriteNumber(name, value);

    /// <inheritdoc cref="WriteFigure(Utf8JsonWriter, ReadOnlySpan{byte}, double)"/>
    public static void WriteFigure(this Utf8JsonWriter json, string name, double value)
    {
        json.WritePropertyName(name);
        WriteFigure(json, value);
    }

    /// <summary>Replaces figures that are not finite by null, throughout a tree; returns it.</summary>
    public static JsonNode? Clean(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (string name in map.Select(pair => pair.Key).ToArray())
                {
                    if (IsNotFinite(map[name]))
                    {
                        map[name] = null;
                    }

                    Clean(map[name]);
                }

                break;
            case JsonArray list:
                for (int i = 0; i < list.Count; i++)
                {
                    if (IsNotFinite(list[i]))
                    {
                        list[i] = null;
                    }

                    Clean(list[i]);
                }

                break;
        }

        return IsNotFinite(node) ? null : node;
    }

    /// <summary>Writes a figure of a list, null where it is not finite.</summary>
    public static void WriteFigure(this Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumberValue(value);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    private static bool IsNotFinite(JsonNode? node) => node is JsonValue value
        && (value.TryGetValue(out double real) ? !double.IsFinite(real) : value.TryGetValue(out float single) && !float.IsFinite(single));

    private sealed class FigureConverter : JsonConverter<double>
    {
        public override bool HandleNull => true;

        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
            => reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => WriteFigure(writer, value);
    }
}
