using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Kernels.Gpu.Programs;

namespace NanoFold.Cli.Commands.Kernels;

/// <summary>What is said of the programs: a line a group, and what is wrong with some.</summary>
internal sealed class KernelReport(Output output, IReadOnlyList<ProgramRow> rows, IReadOnlyList<ProgramGroup> groups)
{
    private const int MostLines = 20;

    /// <param name="folder">Where they are, or null.</param>
    /// <param name="assembler">Its version, or null.</param>
    /// <param name="seconds">That it took.</param>
    /// <returns>The exit code: a program that is wrong is a failure.</returns>
    public int Write(string? folder, string? assembler, double seconds)
    {
        string[] architectures = [.. groups.Select(group => group.Architecture).Distinct()];
        output.Table(numbers: true, [["group", "programs", .. architectures.SelectMany(a => new[] { a, "spill", "bytes" })], .. rows.GroupBy(row => row.Group).Select(group => Line(group.Key, group.Count(), architectures))]);
        (string Name, string Fault)[] faults = [.. rows.SelectMany(row => Faults(row).Select(fault => (row.Name, fault)))];
        (string Name, string Architecture, string Remark)[] remarks =
            [.. rows.SelectMany(row => row.Assembled.Where(made => made.Error is null).SelectMany(made => made.Remarks.Select(remark => (row.Name, made.Architecture, remark))))];
        Say([.. faults.Select(f => $"{f.Name}: {f.Fault}"), .. remarks.Select(r => $"{r.Name}, {r.Architecture}: {r.Remark}")]);
        string spilling = groups.Count == 0 ? "" : $"; {string.Join(", ", architectures.Select(a => $"{Display.Count(groups.Where(g => g.Architecture == a).Sum(g => g.Spilling))} spill on {a}"))} (ptxas {assembler})";
        output.Line($"{Display.Count(rows.Count, "program")}, {Display.Count(faults.Length, "fault")}{spilling}; {Display.Number(seconds, "0.0")} s{(folder is null ? "" : $"; written to {folder}")}");
        output.Result(Result(folder, assembler, seconds, faults, remarks));
        return faults.Length == 0 ? Cli.Faults.Done : Cli.Faults.Failed;
    }

    private static IEnumerable<string> Faults(ProgramRow row)
        => [.. row.Findings.Faults, .. row.Assembled.Where(made => made.Error is not null).Select(made => $"{made.Architecture}: {made.Error}")];

    private string[] Line(string group, int programs, string[] architectures) =>
    [
        group, Display.Count(programs),
        .. architectures.SelectMany(architecture => groups.FirstOrDefault(g => g.Name == group && g.Architecture == architecture) is { } own
            ? [own.LeastRegisters == own.MostRegisters ? $"{own.MostRegisters}" : $"{own.LeastRegisters}–{own.MostRegisters}", own.Spilling == 0 ? "–" : Display.Count(own.Spilling), own.Spilling == 0 ? "–" : Display.Count(own.MostSpilledBytes)]
            : new[] { "", "", "" }),
    ];

    private void Say(string[] lines)
    {
        foreach (string line in lines.Take(MostLines))
        {
            output.Note(line);
        }

        if (lines.Length > MostLines)
        {
            output.Note($"and {Display.Count(lines.Length - MostLines)} more, in programs.tsv of --emit");
        }
    }

    private JsonObject Result(string? folder, string? assembler, double seconds, (string Name, string Fault)[] faults, (string Name, string Architecture, string Remark)[] remarks) => new()
    {
        ["programs"] = rows.Count,
        ["faults"] = new JsonArray([.. faults.Select(f => (JsonNode)new JsonObject { ["name"] = f.Name, ["fault"] = f.Fault })]),
        ["emitted"] = folder,
        ["assembler"] = assembler,
        ["seconds"] = seconds,
        ["groups"] = new JsonArray([.. rows.GroupBy(row => row.Group).Select(group => (JsonNode)new JsonObject
        {
            ["name"] = group.Key,
            ["programs"] = group.Count(),
            ["architectures"] = new JsonArray([.. groups.Where(own => own.Name == group.Key).Select(own => (JsonNode)new JsonObject
            {
                ["architecture"] = own.Architecture, ["programs"] = own.Programs, ["leastRegisters"] = own.LeastRegisters, ["mostRegisters"] = own.MostRegisters,
                ["spilling"] = own.Spilling, ["mostSpilledBytes"] = own.MostSpilledBytes,
            })]),
        })]),
        ["remarks"] = new JsonArray([.. remarks.Select(r => (JsonNode)new JsonObject { ["name"] = r.Name, ["architecture"] = r.Architecture, ["remark"] = r.Remark })]),
    };
}
