using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>
/// What a process that carries out a set of runs and one that carries out a run of it say to each other: the order, one JSON object in the first line of standard input; then, on standard output,
/// a JSON object a line for each report. <see cref="StopWord"/>, or the end of the input, for whoever gave it may be gone, asks the run to save and stop. It is started with
/// <see cref="Variable"/> set and then takes no notice of its arguments.
/// </summary>
public static class RunProtocol
{
    /// <summary>The environment variable of a process that carries out a run.</summary>
    public const string Variable = "NANOFOLD_RUN_OF_SET";

    internal const string StopWord = "stop";

    private static readonly JsonSerializerOptions s_options = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { FiniteJson.Converter, new JsonStringEnumConverter() },
    };

    internal static string Write(RunOrder order) => new JsonObject
    {
        ["folder"] = order.Folder, ["device"] = order.Device, ["threads"] = order.Threads, ["config"] = order.Config.ToJson(),
    }.ToJsonString();

    internal static RunOrder ReadOrder(string line)
    {
        JsonNode order = JsonNode.Parse(line)!;
        return new RunOrder(
            order["folder"]!.GetValue<string>(), new ConfigTree().AddJson(order["config"]!.GetValue<string>(), RunConfig.FileName).Build(), order["device"]!.GetValue<string>(), order["threads"]!.GetValue<int>());
    }

    internal static string Write(RunReport report) => JsonSerializer.Serialize(report, s_options);

    /// <summary>The report in a line of output; null where it is something else that a program wrote.</summary>
    internal static RunReport? ReadReport(string line)
    {
        try
        {
            return line.StartsWith('{') ? JsonSerializer.Deserialize<RunReport>(line, s_options) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
