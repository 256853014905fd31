using System.Text.Json.Nodes;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>devices</c>: what there is to compute on.</summary>
internal static class DevicesCommand
{
    public static void Build(VerbCommand command)
    {
        command.JsonKeys = "devices [{kind, name, isa, threads, memoryBytes}], default (what --device auto takes), missing [{kind, reason}]";
        command.Does(Run);
    }

    private static int Run(Invocation invocation)
    {
        string isa = IsaExtensions.Best.Name();
        string name = Processor.Name();
        long memoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

        Output output = invocation.Output;
        output.Table(numbers: false, ["cpu", name, isa, $"{invocation.Threads} threads", Display.Bytes(memoryBytes)]);
        output.Text.WriteLine($"cuda, opencl: {Devices.GpuHint}");
        output.Result(new JsonObject
        {
            ["devices"] = new JsonArray(new JsonObject
            {
                ["kind"] = "cpu",
                ["name"] = name,
                ["isa"] = isa,
                ["threads"] = invocation.Threads,
                ["memoryBytes"] = memoryBytes,
            }),
            ["default"] = "cpu",
            ["missing"] = new JsonArray(Missing("cuda"), Missing("opencl")),
        });
        return Faults.Done;
    }

    private static JsonObject Missing(string kind) => new() { ["kind"] = kind, ["reason"] = Devices.GpuHint };
}
