using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench gpu</c>: all figures of a GPU in one sitting, beside PyTorch on the same device where that is installed.</summary>
internal static class BenchGpu
{
    private const int TimedSteps = 20;

    // GPT-2's vocabulary, padded as is usual.
    private const int Vocab = 50304;

    private static readonly string[] s_parts = ["tune", "products", "attention", "steps", "kernels", "curves"];

    private static readonly TimeSpan s_tuningLimit = TimeSpan.FromMinutes(1);

    private static readonly (string Preset, int Batch, int Vocab)[] s_steps = [("nano", 12, 256), ("small", 64, 256), ("gpt2", 16, Vocab)];

    private static readonly AttentionCase[] s_attention =
        [new(1024, 12, 12, 64, 16), new(256, 6, 6, 64, 64), new(4096, 12, 12, 64, 4), new(1024, 12, 12, 128, 8)];

    public static void Build(VerbCommand command)
    {
        Option<string[]?> parts = command.Names("--parts", "Some of the parts only", s_parts);
        Option<bool> alone = command.Flag("--alone", "Leave PyTorch out");
        Option<string?> data = command.Text("--data", "PATH", "Text for the curves; without it tokens are random");
        Option<long?> steps = command.Integer("--steps", "Steps of the curves, 200 if not given", 1, 100_000);
        command.Common = [CommonOptions.Device];
        command.JsonKeys = """
            device, precisions [names], tune [{name, m, n, k, transA, transB, precision, before, after, secondsBefore, secondsAfter}], products [{name, m, n, k, transA, transB, fp32, tf32, bf16 (TFLOP/s), peer {fp32, tf32, bf16}}],
              attention [{context, heads, headDim, batch, forwardMs, bothMs, bothByOneMs (NANOFOLD_ATTENTION_BACKWARD=one; null off CUDA), tflops, peer {forwardMs, bothMs}}],
              steps [{preset, batch, precision, tokensPerSecond, peer {eager, compiled, graph, compiledGraph}}],
              kernels [{preset, name, calls, ms, tflops, gbps, rooflineShare}], compiled [{name, registers, localBytes, sharedBytes}],
              curves [{precision, first, last, largestDifference (from fp32, of means of 20 steps)}]; what was not measured is absent
            """;
        command.Does(invocation => Run(invocation, invocation.Get(parts), invocation.Get(alone), invocation.Get(data), (int)(invocation.Get(steps) ?? 200)));
    }

    private static int Run(Invocation invocation, string[]? given, bool alone, string? data, int curveSteps)
    {
        using Backend backend = Devices.Open(invocation);
        if (!backend.Supports(DType.BFloat16))
        {
            throw new UserException($"bench gpu: {backend.Name} is no GPU; {Program.Typed} devices says what there is");
        }

        Output output = invocation.Output;
        PrecisionKind[] precisions = [.. Enum.GetValues<PrecisionKind>().Where(p => p != PrecisionKind.TensorFloat32 || backend.HasTensorFloat32)];
        output.Line($"{backend.Name}, {Display.Bytes(backend.FreeBytes ?? 0)} free");
        var json = new JsonObject { ["device"] = backend.Name, ["precisions"] = new JsonArray([.. precisions.Select(p => (JsonNode)p.Name())]) };
        var figures = new GpuFigures(backend, output, json, alone ? null : GpuPeer.Find(output));

        // What was measured is kept: without being asked to it is done once.
        string[] parts = given is { Length: > 0 } ? given : [.. s_parts.Where(p => p != "tune" || Gpus.IsUntuned(backend))];
        if (parts.Contains("tune"))
        {
            // Large ones first: they matter most if the time is short.
            figures.Tune([.. Enumerable.Reverse(s_steps).SelectMany(Products)], s_tuningLimit);
        }

        if (parts.Contains("products"))
        {
            ModelConfig gpt2 = Presets.Of("gpt2").Resolve().Model with { Vocab = Vocab };
            figures.Products([new GemmCase("cube", 4096, 4096, 4096, false, true), .. GemmCases.Of(gpt2, 16 * 1024)]);
        }

        if (parts.Contains("attention"))
        {
            figures.Attention(s_attention);
        }

        if (parts.Contains("steps"))
        {
            figures.Steps([.. s_steps.SelectMany(s => precisions.Select(p => Config(s.Preset, s.Batch, s.Vocab, p)))], TimedSteps);
        }

        if (parts.Contains("kernels"))
        {
            figures.Kernels([.. s_steps.Select(s => Config(s.Preset, s.Batch, s.Vocab, PrecisionKind.BFloat16))]);
        }

        if (parts.Contains("curves"))
        {
            figures.Curves(Config("small", 8, 256, PrecisionKind.Float32), precisions, data, curveSteps);
        }

        output.Result(json);
        return Faults.Done;
    }

    /// <summary>The products of a preset's steps.</summary>
    private static IEnumerable<GemmCase> Products((string Preset, int Batch, int Vocab) step)
    {
        ModelConfig model = Presets.Of(step.Preset).Resolve().Model with { Vocab = step.Vocab };
        return GemmCases.Of(model, step.Batch * model.Context);
    }

    /// <summary>A preset with AdamW, as the peer has it.</summary>
    private static RunConfig Config(string preset, int batch, int vocab, PrecisionKind precision)
    {
        RunConfig config = new ConfigTree(preset)
            .Set("tokenizer=byte").Set("train.optimizer=adamw").Set($"train.batch={batch}").Set("train.accumulate=1").Set($"train.precision={precision.Name()}")
            .Build();
        return config with { Model = config.Model with { Vocab = vocab } };
    }
}
