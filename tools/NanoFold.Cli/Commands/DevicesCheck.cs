using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks.Devices;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>devices --check</c>: small models trained on a device beside the CPU.</summary>
internal static class DevicesCheck
{
    /// <summary>Checks the device asked for, or every GPU that is there, or where there is none the CPU, and says of each case how far it is.</summary>
    /// <param name="invocation">What was asked for.</param>
    /// <param name="withKinds">Every kind of part too, not only the precisions.</param>
    /// <param name="only">What a case must have in its name, or null.</param>
    public static int Run(Invocation invocation, bool withKinds, string? only)
    {
        DeviceCase[] cases = [.. DeviceCase.Precisions.Concat(withKinds ? DeviceCase.Kinds : []).Where(c => only is null || c.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        if (cases.Length == 0)
        {
            throw UserException.Usage($"--only {only}: no case has that in its name; they are fp32, tf32, bf16, fp16 and, with --kinds, such as mixer=attention");
        }

        string[] there = [.. Gpus.List().Where(g => g.Reason is null).Select(g => g.Kind).Distinct()];
        string[] devices = invocation.Device != Devices.Auto ? [invocation.Device] : there.Length > 0 ? there : [Devices.Cpu];
        var results = new JsonArray();
        int failed = 0;
        foreach (string kind in devices)
        {
            using Backend device = Devices.Open(kind, invocation.Threads);
            failed += Run(invocation, device, cases, results);
        }

        invocation.Output.Result(new JsonObject { ["checks"] = results, ["failed"] = failed });
        return failed == 0 ? Faults.Done : Faults.Failed;
    }

    private static int Run(Invocation invocation, Backend device, DeviceCase[] cases, JsonArray results)
    {
        Output output = invocation.Output;
        output.Line($"{device.Name}: {DeviceCheck.Steps} steps of a small model, beside the CPU in single precision");
        int width = cases.Max(c => c.Name.Length), failed = 0;
        output.Line($"{"".PadRight(width)}  gradients   losses  bits");
        foreach (DeviceCase of in cases)
        {
            invocation.Interrupt.Token.ThrowIfCancellationRequested();
            if (of.WhyNot(device) is { } reason)
            {
                output.Line($"{of.Name.PadRight(width)}  not on this device");
                results.Add(new JsonObject { ["device"] = device.Name, ["name"] = of.Name, ["fault"] = null, ["skipped"] = reason });
                continue;
            }

            DeviceCheck check = DeviceCheck.Run(of, device);
            failed += check.Passes ? 0 : 1;
            output.Line($"{of.Name.PadRight(width)}  {check.GradientDifference,9:0.0e+0}  {check.LossDifference,7:0.0e+0}  {(check.SameBits ? "same" : "others")}  {Display.Number(check.Seconds, "0.0"),5} s  {(check.Fault is { } fault ? $"WRONG: {fault}" : "ok")}");
            results.Add(new JsonObject
            {
                ["device"] = device.Name,
                ["name"] = of.Name,
                ["gradientDifference"] = check.GradientDifference,
                ["parameter"] = check.Parameter,
                ["lossDifference"] = check.LossDifference,
                ["sameBits"] = check.SameBits,
                ["seconds"] = check.Seconds,
                ["fault"] = check.Fault,
            });
        }

        return failed;
    }
}
