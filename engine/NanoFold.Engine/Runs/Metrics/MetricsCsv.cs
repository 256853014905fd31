using System.Text.Json;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Runs.Metrics;

/// <summary>
/// <see cref="RunFolder.MetricsFile"/> of one or several runs as a table: a row for each step that has a line, a column for each key in the order in which they come up; items of lists
/// have columns of their own, <c>expertLoad.0.3</c>. What is not there, or null, is an empty cell. In full digits.
/// </summary>
public static class MetricsCsv
{
    /// <summary>Writes it.</summary>
    /// <param name="runs">Run folders.</param>
    /// <param name="writer">Where to.</param>
    /// <returns>How many rows.</returns>
    /// <exception cref="UserException">One of them has no log.</exception>
    public static int Write(IReadOnlyList<string> runs, TextWriter writer)
    {
        OrderedDictionary<(int Run, long Step), Dictionary<string, string>> rows = [];
        OrderedDictionary<string, bool> columns = [];
        for (int run = 0; run < runs.Count; run++)
        {
            foreach (JsonElement line in JsonLinesLog.Read(Path.Combine(runs[run], RunFolder.MetricsFile)))
            {
                if (line.TryGetProperty("step", out JsonElement step) && step.ValueKind == JsonValueKind.Number && step.TryGetInt64(out long number))
                {
                    if (!rows.TryGetValue((run, number), out Dictionary<string, string>? cells))
                    {
                        rows.Add((run, number), cells = []);
                    }

                    foreach (JsonProperty member in line.EnumerateObject())
                    {
                        Add(member.Name, member.Value, cells, columns);
                    }
                }
            }
        }

        bool isOfSeveral = runs.Count > 1;
        writer.Write($"{(isOfSeveral ? "run," : "")}{string.Join(',', columns.Keys.Select(Quoted))}\n");
        foreach (((int run, _), Dictionary<string, string> cells) in rows)
        {
            writer.Write($"{(isOfSeveral ? $"{Quoted(runs[run])}," : "")}{string.Join(',', columns.Keys.Select(column => Quoted(cells.GetValueOrDefault(column, ""))))}\n");
        }

        return rows.Count;
    }

    private static void Add(string name, JsonElement value, Dictionary<string, string> cells, OrderedDictionary<string, bool> columns)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            int index = 0;
            foreach (JsonElement item in value.EnumerateArray())
            {
                Add($"{name}.{index++}", item, cells, columns);
            }

            return;
        }

        columns.TryAdd(name, true);
        cells[name] = value.ValueKind switch
        {
            JsonValueKind.Null => "",
            JsonValueKind.String => value.GetString()!,
            _ => value.GetRawText(),
        };
    }

    // As RFC 4180 has it.
    private static string Quoted(string cell) => cell.AsSpan().ContainsAny(",\"\r\n") ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell;
}
