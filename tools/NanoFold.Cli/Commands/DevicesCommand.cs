using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Cli.Commands;

/// <summary><c>devices</c>: the devices that can compute, and why a GPU cannot be used.</summary>
internal static class DevicesCommand
{
    public static void Build(VerbCommand command)
    {
        command.Common = [];
        command.JsonKeys = """
            devices [{kind, name, isa, threads and bf16 {unit (what multiplies bfloat16, or null), units [] that are there, gain (measured, over fp32), reason (why no unit is used, or null)} (cpu), driver and abilities [] (gpu), memoryBytes}], default (what --device auto takes),
              missing [{kind, name (of a device that was found, or null), reason}]
            """;
        command.Does(Run);
    }

    private static int Run(Invocation invocation)
    {
        string isa = IsaExtensions.Best.Name();
        string? lacking = RoundedUnits.Reason, unit = RoundedUnits.Chosen?.Name();
        string products = unit is null ? $"bf16 as floats ({lacking})" : $"bf16 by {unit} ({Display.Number(RoundedUnits.Gain, "0.0")} × fp32)";
        string name = Processor.Name();
        long memoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        IReadOnlyList<Gpu> gpus = Gpus.List();
        string chosen = Gpus.Preferred() ?? Devices.Cpu;
        var devices = new JsonArray(new JsonObject
        {
            ["kind"] = "cpu",
            ["name"] = name,
            ["isa"] = isa,
            ["threads"] = invocation.Threads,
            ["bf16"] = new JsonObject
            {
                ["unit"] = unit,
                ["units"] = new JsonArray([.. RoundedUnits.There.Select(there => (JsonNode)there.Name())]),
                ["gain"] = RoundedUnits.Gain,
                ["reason"] = lacking,
            },
            ["memoryBytes"] = memoryBytes,
        });
        List<string[]> rows = [[Devices.Cpu, name, Display.Bytes(memoryBytes), $"{isa}, {products}, {Display.Count(invocation.Threads, "thread")}"]];
        foreach (Gpu gpu in gpus.Where(g => g.Reason is null))
        {
            rows.Add([gpu.Kind, gpu.Name, Display.Bytes(gpu.MemoryBytes), $"{gpu.Driver}, {string.Join(", ", gpu.Abilities)}"]);
            devices.Add(new JsonObject
            {
                ["kind"] = gpu.Kind,
                ["name"] = gpu.Name,
                ["driver"] = gpu.Driver,
                ["abilities"] = new JsonArray([.. gpu.Abilities.Select(a => (JsonNode)a)]),
                ["memoryBytes"] = gpu.MemoryBytes,
            });
        }

        Output output = invocation.Output;
        output.Table(numbers: false, [.. rows]);
        output.Line($"--device auto takes {chosen}");
        (string Kind, string? Name, string Reason)[] missing = [.. Missing(gpus)];
        foreach ((string kind, string? device, string reason) in missing)
        {
            output.Line(device is null ? $"{kind}: {reason}" : $"{kind}: {device}: {reason}");
        }

        output.Result(new JsonObject
        {
            ["devices"] = devices,
            ["default"] = chosen,
            ["missing"] = new JsonArray([.. missing.Select(m => (JsonNode)new JsonObject { ["kind"] = m.Kind, ["name"] = m.Name, ["reason"] = m.Reason })]),
        });
        return Faults.Done;
    }

    // Devices that are there and cannot be used, and interfaces that show none.
    private static IEnumerable<(string Kind, string? Name, string Reason)> Missing(IReadOnlyList<Gpu> gpus)
    {
        foreach (string kind in (string[])[Devices.Cuda, Devices.OpenCl])
        {
            Gpu[] own = [.. gpus.Where(g => g.Kind == kind)];
            if (own.Length == 0)
            {
                yield return (kind, null, Gpus.WhyNot(kind) ?? "shows no device");
            }

            foreach (Gpu gpu in own.Where(g => g.Reason is not null))
            {
                yield return (kind, gpu.Name, gpu.Reason!);
            }
        }
    }
}
