using System.Text.Json.Serialization;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// By what a task tells its targets apart, such as the distance to what is asked for: a detailed evaluation gives loss and accuracy for each value of it. The place in the
/// row is an axis of every task and need not be named.
/// </summary>
/// <remarks>
/// A task names it in <see cref="LearningTask.Axes"/>. Its numbers stand in a field of the same name, Int32 [B, T], that only a detailed evaluation asks for:
/// <c>row.Integers("distance")</c> is empty in training. A row comes full of −1; targets that are left at that are counted in no bin.
/// </remarks>
/// <param name="Name">In camel case, as it stands in evaluation.json.</param>
/// <param name="Meaning">What its numbers count, for tables and charts: <c>places back to the key</c>.</param>
/// <param name="Scale">How numbers are put together.</param>
public sealed record ScoreAxis(string Name, string Meaning, AxisScale Scale = AxisScale.Doubling)
{
    /// <summary>How many places of the row are before the target's.</summary>
    public static ScoreAxis Position { get; } = new("position", "places of the row before it");

    /// <summary>Where its numbers stand.</summary>
    /// <param name="time">Places of a row.</param>
    internal BatchField Field(int time) => BatchField.NotGiven(Name, time);
}

/// <summary>Which numbers of a <see cref="ScoreAxis"/> share a bin.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AxisScale>))]
public enum AxisScale
{
    /// <summary>0, 1, 2 to 3, 4 to 7, 8 to 15 …</summary>
    [JsonStringEnumMemberName("doubling")]
    Doubling,

    /// <summary>0, 1 to 9, 10 to 99, 100 to 999 …</summary>
    [JsonStringEnumMemberName("decades")]
    Decades,

    /// <summary>Each number has a bin of its own, up to 255; larger ones share the last.</summary>
    [JsonStringEnumMemberName("each")]
    Each,
}
