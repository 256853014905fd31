using System.Text.Json.Nodes;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>Settings of runs: all of one, and those in which several differ.</summary>
internal static class SettingsTables
{
    private const string Kind = ".kind";

    /// <summary>All settings of a run, as dotted keys.</summary>
    public static ReportTable All(RunRecord run) => new(
        [new ReportColumn("setting", IsText: true), new ReportColumn("value", IsText: true)],
        [.. Flat(run.Settings).Select(pair => (IReadOnlyList<Cell>)[pair.Key, pair.Value])])
    { Title = $"All settings of {run.Name}", IsFolded = true };

    /// <summary>The keys in which runs differ, in the order of the configuration.</summary>
    public static IReadOnlyList<string> Differing(IReadOnlyList<RunRecord> runs)
    {
        Dictionary<string, string>[] flat = [.. runs.Select(run => Flat(run.Settings).ToDictionary())];
        return [.. flat.SelectMany(keys => keys.Keys).Distinct().Where(key => flat.Select(keys => keys.GetValueOrDefault(key)).Distinct().Count() > 1)];
    }

    /// <summary>The value of a key, as it is written; a dash where the run does not have it.</summary>
    public static string Value(RunRecord run, string key) => Flat(run.Settings).Where(pair => pair.Key == key).Select(pair => pair.Value).FirstOrDefault("–");

    /// <summary>Settings as they are typed: <c>model.mixer=gru model.width=96</c>.</summary>
    public static string Line(JsonObject settings) => string.Join(' ', Flat(settings).Select(pair => $"{(pair.Key.EndsWith(Kind, StringComparison.Ordinal) ? pair.Key[..^Kind.Length] : pair.Key)}={pair.Value}"));

    // A list is one value.
    private static IEnumerable<KeyValuePair<string, string>> Flat(JsonObject tree, string prefix = "")
        => tree.SelectMany(pair => pair.Value is JsonObject { Count: > 0 } inner
            ? Flat(inner, $"{prefix}{pair.Key}.")
            : [new KeyValuePair<string, string>(prefix + pair.Key, pair.Value is JsonValue value && value.TryGetValue(out string? text) ? text : pair.Value?.ToJsonString() ?? "null")]);
}
