using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>
/// <c>bench gpu --session</c>: everything on a new card within some minutes. Each stage is a process of its own, with a limit, so that one that hangs or crashes takes no other with it;
/// what they said is kept, and at the end all figures are one table.
/// </summary>
internal sealed class GpuSession(Invocation invocation, string folder, TimeSpan limit, bool alone, bool isDry, string? data)
{
    // Less than this is no time to begin a stage with.
    private static readonly TimeSpan s_least = TimeSpan.FromSeconds(5);

    public int Run()
    {
        if (!isDry && Gpus.WhyNot(Devices.Cuda) is { } reason)
        {
            throw new UserException($"bench gpu --session: {reason}; --dry-run tries every stage without a card");
        }

        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            throw new UserException($"--session {folder}: is there already and holds something; name another folder");
        }

        Directory.CreateDirectory(folder);
        CancellationToken token = invocation.Interrupt.Token;
        Output output = invocation.Output;
        long started = Stopwatch.GetTimestamp();
        var runs = new List<GpuStageRun>();
        foreach (GpuStage stage in GpuStage.Of(folder, isDry, data).Where(s => !(s.IsPeer && alone)))
        {
            token.ThrowIfCancellationRequested();
            TimeSpan left = limit - Stopwatch.GetElapsedTime(started), own = TimeSpan.FromSeconds(stage.Seconds);
            GpuStageRun run = left < s_least
                ? new GpuStageRun(stage, 0, "not run: no time was left", null)
                : GpuStageRun.Of(stage, folder, left < own ? left : own, token);
            runs.Add(run);
            output.Line($"{stage.Name,-16} {Display.Number(run.Seconds, "0.0"),6} s  {run.Outcome}");
            File.WriteAllText(Path.Combine(folder, "session.json"), FiniteJson.Clean(Json(runs))!.ToJsonString());
        }

        string table = GpuSessionTable.Of(runs);
        File.WriteAllText(Path.Combine(folder, "table.md"), table);
        output.Line();
        output.Text.Write(table);
        output.Line($"written to {folder}: table.md, session.json, a log of each stage");
        JsonObject result = Json(runs);
        result["table"] = Path.Combine(folder, "table.md");
        output.Result(result);
        return runs.All(r => r.Outcome == GpuStageRun.Done || r.Outcome.StartsWith("not run", StringComparison.Ordinal)) ? Faults.Done : Faults.Failed;
    }

    private static JsonObject Json(IEnumerable<GpuStageRun> runs) => new()
    {
        ["stages"] = new JsonArray([.. runs.Select(r => (JsonNode)new JsonObject
        {
            ["name"] = r.Stage.Name, ["seconds"] = r.Seconds, ["outcome"] = r.Outcome, ["result"] = r.Result?.DeepClone(),
        })]),
    };
}
