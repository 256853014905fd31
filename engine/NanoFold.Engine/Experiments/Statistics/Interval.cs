using System.Text.Json;
using System.Text.Json.Serialization;

namespace NanoFold.Engine.Experiments.Statistics;

/// <summary>From where to where a figure may lie; in JSON a list of two, [low, high].</summary>
/// <param name="Low">The lower end.</param>
/// <param name="High">The upper end.</param>
[JsonConverter(typeof(IntervalJson))]
public readonly record struct Interval(double Low, double High)
{
    /// <summary>Whether a value lies in it, ends included.</summary>
    public bool Contains(double value) => value >= Low && value <= High;
}

internal sealed class IntervalJson : JsonConverter<Interval>
{
    public override Interval Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        => JsonSerializer.Deserialize<double?[]>(ref reader, options) is [var low, var high]
            ? new Interval(low ?? double.NaN, high ?? double.NaN)
            : throw new JsonException("an interval is a list of two numbers");

    public override void Write(Utf8JsonWriter writer, Interval value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        writer.WriteFigure(value.Low);
        writer.WriteFigure(value.High);
        writer.WriteEndArray();
    }
}
