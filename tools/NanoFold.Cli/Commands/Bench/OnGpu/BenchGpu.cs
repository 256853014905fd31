using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary><c>bench gpu</c>: all figures of a GPU in one sitting, beside PyTorch on the same device where that is installed.</summary>
internal static class BenchGpu
{
    private static readonly string[] s_parts = ["programs", "checks", "repeats", "tune", "products", "attention", "steps", "kernels", "curves"];

    // What is asked of a card that is new; later only where it is named.
    private static readonly string[] s_named = ["programs", "checks", "repeats"];

    private static readonly string[] s_ofSession = ["--session", "--minutes", "--alone", "--data", "--dry-run", "--json"];

    private static readonly TimeSpan s_tuningLimit = TimeSpan.FromMinutes(1);

    public static void Build(VerbCommand command)
    {
        Option<string[]?> parts = command.Names("--parts", "Some of the parts only; programs (what the driver makes of each kernel) and checks (instructions and products that must come out exact), repeats (attention's gradients a thousand times) only where they are named", s_parts);
        Option<string[]> only = command.Texts("--only", "TEXT", "Of programs and checks those that have this in their name");
        Option<bool> alone = command.Flag("--alone", "Leave PyTorch out");
        Option<string?> data = command.Text("--data", "PATH", "Text for the curves; without it tokens are random");
        Option<long?> steps = command.Integer("--steps", "Steps of the curves, 200 if not given", 1, 100_000);
        Option<string?> dump = command.Text("--dump", "DIR", "Where a check that fails writes what it got and what was expected");
        Option<string?> session = command.Text("--session", "DIR", "Everything on a new card within ten minutes, each stage a process with a limit of its own; what they say goes into this new folder, with a table of all figures");
        Option<long?> minutes = command.Integer("--minutes", "Of a session in all; 10 if not given", 1, 600);
        Option<bool> dryRun = command.Flag("--dry-run", "Tiny shapes on a simulator: shows without a card that every part runs");
        command.Common = [CommonOptions.Device];
        command.JsonKeys = """
            device, precisions [names], programs [{name, registers, localBytes, warnings, fault}], checks [{name, holds (null on a dry run), detail}], repeats [{context, heads, headDim, batch, times, different, differentByOne}], tune [{name, m, n, k, transA, transB, precision, before, after, secondsBefore, secondsAfter}], products [{name, m, n, k, transA, transB, fp32, tf32, bf16 (TFLOP/s), peer {fp32, tf32, bf16}}],
              attention [{context, heads, headDim, batch, forwardMs, bothMs, bothByOneMs (NANOFOLD_ATTENTION_BACKWARD=one, by warps; null off CUDA), tflops, peer {forwardMs, bothMs}}],
              steps [{preset, batch, precision, tokensPerSecond, peer {eager, compiled, graph, compiledGraph}}],
              kernels [{preset, name, calls, ms, tflops, gbps, rooflineShare}], compiled [{name, registers, localBytes, sharedBytes}],
              curves [{precision, first, last, largestDifference (from fp32, of means of 20 steps)}]; what was not measured is absent;
              with --session stages [{name, seconds, outcome, result}], table
            """;
        command.Does(invocation => invocation.Get(session) is { } folder
            ? Session(command, invocation, new GpuSession(invocation, folder, TimeSpan.FromMinutes(invocation.Get(minutes) ?? 10), invocation.Get(alone), invocation.Get(dryRun), invocation.Get(data)))
            : Run(invocation, invocation.Get(parts), invocation.Get(alone), invocation.Get(data), (int)(invocation.Get(steps) ?? 200), invocation.Get(only) ?? [], invocation.Get(dump), invocation.Get(dryRun)));
    }

    // A session says itself what each stage is given.
    private static int Session(VerbCommand command, Invocation invocation, GpuSession session)
        => invocation.Given(command).FirstOrDefault(name => !s_ofSession.Contains(name)) is { } other
            ? throw UserException.Usage($"{other}: does not go with --session; each stage has its own")
            : session.Run();

    private static int Run(Invocation invocation, string[]? given, bool alone, string? data, int curveSteps, string[] only, string? dump, bool isDry)
    {
        using Backend backend = isDry ? Gpus.OpenSimulator() : Devices.Open(invocation);
        if (!backend.Supports(DType.BFloat16))
        {
            throw new UserException($"bench gpu: {backend.Name} is no GPU; {Program.Typed} devices says what there is");
        }

        Output output = invocation.Output;
        PrecisionKind[] precisions = isDry ? [PrecisionKind.Float32, PrecisionKind.BFloat16] : [.. Enum.GetValues<PrecisionKind>().Where(p => p != PrecisionKind.TensorFloat32 || backend.HasTensorFloat32)];
        output.Line($"{backend.Name}, {Display.Bytes(backend.FreeBytes ?? 0)} free");
        var json = new JsonObject { ["device"] = backend.Name, ["precisions"] = new JsonArray([.. precisions.Select(p => (JsonNode)p.Name())]) };
        GpuShapes shapes = isDry ? GpuShapes.Tiny : GpuShapes.Real;
        var figures = new GpuFigures(backend, output, json, alone || isDry ? null : GpuPeer.Find(output), shapes);

        // What was measured is kept: without being asked to it is done once.
        string[] parts = given is { Length: > 0 } ? given : [.. s_parts.Where(p => !s_named.Contains(p) && (p != "tune" || Gpus.IsUntuned(backend)))];
        bool holds = true;
        if (parts.Contains("programs"))
        {
            holds &= figures.Programs(only, isDry);
        }

        if (parts.Contains("checks"))
        {
            holds &= figures.Checks(only, dump, isDry);
        }

        if (parts.Contains("repeats"))
        {
            holds &= figures.Repeats(shapes.Repeats.Cases, shapes.Repeats.Times);
        }

        if (parts.Contains("tune"))
        {
            figures.Tune(shapes.Tuned, s_tuningLimit);
        }

        if (parts.Contains("products"))
        {
            figures.Products(shapes.Products);
        }

        if (parts.Contains("attention"))
        {
            figures.Attention(shapes.Attention);
        }

        if (parts.Contains("steps"))
        {
            figures.Steps([.. shapes.Steps.SelectMany(s => precisions.Select(p => shapes.Config(s, p)))], shapes.TimedSteps);
        }

        if (parts.Contains("kernels"))
        {
            figures.Kernels([.. shapes.Steps.Select(s => shapes.Config(s, PrecisionKind.BFloat16))]);
        }

        if (parts.Contains("curves"))
        {
            figures.Curves(shapes.Curve, precisions, data, shapes.CurveSteps(curveSteps));
        }

        output.Result(json);
        return holds ? Faults.Done : Faults.Failed;
    }
}
