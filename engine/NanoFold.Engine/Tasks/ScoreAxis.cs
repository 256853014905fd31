using System.Text.Json.Serialization;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// By what a detailed evaluation tells targets apart: their place in the row, of text how frequent they are, of a task with <see cref="LearningTask.GroupedBy"/> that. It gives the
/// loss, and the accuracy where there is one, for each value.
/// </summary>
/// <param name="Name">In camel case, as it stands in evaluation.json.</param>
/// <param name="Meaning">What its numbers count, for tables and charts.</param>
/// <param name="Scale">How numbers are put together.</param>
public sealed record ScoreAxis(string Name, string Meaning, AxisScale Scale)
{
    /// <summary>How many places of the row are before the target's.</summary>
    public static ScoreAxis Position { get; } = new("position", "places of the row before it", AxisScale.Doubling);

    /// <summary>Of the field of a batch with its numbers, Int32 [B, T], −1 where there is none; training does not ask for it.</summary>
    internal string Field { get; init; } = Name;
}

/// <summary>Which numbers of a <see cref="ScoreAxis"/> share a bin.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AxisScale>))]
public enum AxisScale
{
    /// <summary>Each number has a bin of its own; where there are more than 32 different ones, they double.</summary>
    [JsonStringEnumMemberName("each")]
    Each,

    /// <summary>0, 1, 2 to 3, 4 to 7, 8 to 15 …</summary>
    [JsonStringEnumMemberName("doubling")]
    Doubling,

    /// <summary>0, 1 to 9, 10 to 99, 100 to 999 …</summary>
    [JsonStringEnumMemberName("decades")]
    Decades,
}
