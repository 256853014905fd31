using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Cli.Commands;

/// <summary><c>devices</c>: the devices that can compute, why a GPU cannot be used, and whether what is computed there is right.</summary>
internal static class DevicesCommand
{
    public static void Build(VerbCommand command)
    {
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        Option<bool> check = command.Flag("--check", "Train small models on each GPU (or on --device) beside the CPU, in every precision, and say how far gradients and losses are apart");
        Option<bool> kinds = command.Flag("--kinds", "With --check: every kind of mixer, feed-forward, residual connection and optimizer too");
        Option<string?> only = command.Text("--only", "TEXT", "With --check: only cases with TEXT in their names, such as bf16 or mixer=");
        command.JsonKeys = """
            devices [{kind, name, isa, threads and bf16 {unit (what multiplies bfloat16, or null), units [] that are there, gain (measured, over fp32), reason (why no unit is used, or null)} (cpu), driver and abilities [] (gpu), memoryBytes}], default (what --device auto takes),
              missing [{kind, name (of a device that was found, or null), reason}]; with --check instead
              checks [{device, name (of the case: a precision, or setting=kind), gradientDifference (the largest of a parameter, relative to the length of its gradient), parameter, lossDifference (nats per token, the largest of 6 steps), sameBits (a second time), seconds, fault (what is wrong, or null), or skipped (why it cannot be done there)}], failed (how many)
            """;
        command.Does(invocation => invocation.Get(check) ? DevicesCheck.Run(invocation, invocation.Get(kinds), invocation.Get(only))
            : invocation.Get(kinds) || invocation.Get(only) is not null ? throw UserException.Usage("--kinds, --only: say what is checked; add --check")
            : List(invocation));
    }

    private static int List(Invocation invocation)
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
