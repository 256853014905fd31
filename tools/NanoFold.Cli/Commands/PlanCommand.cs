using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>plan</c>: what a model costs, before anything is allocated.</summary>
internal static class PlanCommand
{
    private const int LargestShown = 5;

    public static void Build(VerbCommand command)
    {
        var train = new TrainOptions(command, "--data", "--steps", "--minutes", "--out");
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "parameters, parametersByPart {embedding, mixer, feedForward, norms, head}, vocab, flopsPerToken (by the convention 6 N + 12 H D T a layer, of which train's share of peak is), executedFlopsPerToken (of all kernels of forward and backward, visible pairs only), cacheBytesPerSequence, tokensPerStep (null while the batch is auto), peakBytes (of a run: the sum of memory {parameters, gradients, optimizer, activations (shared by training, evaluating, measuring and sampling), inputs (batches and tables), samples (what the geometry reads, and measuring it)}), residentBytes (the same with the process itself, where the host computes; otherwise null), "
            + "bytesMovedPerToken (read and written by the kernels of forward and backward), phases [{phase (forward, backward, update), bytes (most in use besides parameters, gradients and inputs: of activations, in update of the optimizer), at (where)}], "
            + "largestActivations [{name (op, gradient or scratch of it), count, bytes}] (in use where most is)";
        command.Does(invocation => Run(invocation, train.Config(invocation)));
    }

    private static int Run(Invocation invocation, RunConfig config)
    {
        config = RunVocab.Expect(config);
        CostModel cost = CostModel.Of(config.Model, config.Train.Trains);
        long? tokensPerStep = config.Train.Batch > 0 ? (long)config.Train.Batch * config.Train.Accumulate * config.Model.Context : null;

        using Backend backend = Devices.Open(invocation);
        RunMemory run = RunMemory.Of(config, backend);
        MemoryPlan memory = run.Step;
        long? resident = backend.FreeBytes is null ? run.ResidentBytes : null;
        Output output = invocation.Output;
        output.Line(Describe(config));
        output.Table(
            numbers: true,
            [
                ["parameters", Display.Count(cost.Parameters)],
                ["  embedding", Display.Count(cost.Embedding)],
                ["  mixers", Display.Count(cost.Mixer)],
                ["  feed-forwards", Display.Count(cost.FeedForward)],
                .. cost.Residual > 0 ? (string[][])[["  residual connections", Display.Count(cost.Residual)]] : [],
                ["  norms", Display.Count(cost.Norms)],
                [config.Model.Tied ? "  head (tied)" : "  head", Display.Count(cost.Head)],
                .. cost.Trained < cost.Parameters ? (string[][])[["trained", Display.Count(cost.Trained)]] : [],
            ]);
        PlanProfile passes = memory.Passes;
        long flopsPerToken = CostModel.FlopsPerToken(config.Model, config.Train.Trains);
        double tokensPerPass = (double)Math.Max(1, config.Train.Batch) * config.Model.Context;
        double executedPerToken = memory.PassesCost.Flops / tokensPerPass, bytesPerToken = memory.PassesCost.Bytes / tokensPerPass;
        (string Phase, long Bytes, string At)[] phases =
        [
            ("forward", passes.Forward.Bytes, passes.Forward.At),
            .. passes.Backward is { } backward ? new[] { ("backward", backward.Bytes, backward.At) } : [],
            ("update", memory.OptimizerBytes, config.Train.Optimizer.Kind),
        ];
        PlanHolding[] largest = [.. passes.Largest.Take(LargestShown)];
        output.Table(
            numbers: false,
            [
                ["FLOPs per token", $"{Display.Short(flopsPerToken, "FLOP")} by convention; {Display.Short(executedPerToken, "FLOP")} in all kernels, visible pairs only"],
                ["bytes moved per token", $"{Display.Bytes((long)bytesPerToken)}, every kernel's operands read and written once"],
                ["tokens per step", tokensPerStep is { } tokens ? Display.Count(tokens) : "by batch size: auto"],
                ["cache per sequence", Display.Bytes(cost.CacheBytesPerSequence)],
                ["peak memory of a run", $"{Display.Bytes(run.PeakBytes)}: parameters {Display.Bytes(memory.ParameterBytes)}, gradients {Display.Bytes(memory.GradientBytes)}, optimizer {Display.Bytes(memory.OptimizerBytes)}, activations {Display.Bytes(run.ArenaBytes)}, inputs {Display.Bytes(run.InputBytes)}, samples {Display.Bytes(run.SampleBytes)}"],
                .. resident is { } bytes ? (string[][])[["with the process itself", Display.Bytes(bytes)]] : [],
            ]);
        output.Table(numbers: false, [["phase", "most in use", "at"], .. phases.Select(p => (string[])[p.Phase, Display.Bytes(p.Bytes), p.At])]);
        output.Table(
            numbers: true,
            [["held at the peak", "values", "bytes"], .. largest.Select(h => (string[])[h.Name, Display.Count(h.Count), Display.Bytes(h.Bytes)])]);
        output.Result(new JsonObject
        {
            ["parameters"] = cost.Parameters,
            ["parametersByPart"] = new JsonObject
            {
                ["embedding"] = cost.Embedding,
                ["mixer"] = cost.Mixer,
                ["feedForward"] = cost.FeedForward,
                ["residual"] = cost.Residual,
                ["norms"] = cost.Norms,
                ["head"] = cost.Head,
            },
            ["trainedParameters"] = cost.Trained,
            ["vocab"] = config.Model.Vocab,
            ["flopsPerToken"] = flopsPerToken,
            ["executedFlopsPerToken"] = executedPerToken,
            ["cacheBytesPerSequence"] = cost.CacheBytesPerSequence,
            ["tokensPerStep"] = tokensPerStep,
            ["peakBytes"] = run.PeakBytes,
            ["residentBytes"] = resident,
            ["memory"] = new JsonObject
            {
                ["parameters"] = memory.ParameterBytes,
                ["gradients"] = memory.GradientBytes,
                ["optimizer"] = memory.OptimizerBytes,
                ["activations"] = run.ArenaBytes,
                ["inputs"] = run.InputBytes,
                ["samples"] = run.SampleBytes,
            },
            ["bytesMovedPerToken"] = bytesPerToken,
            ["phases"] = new JsonArray([.. phases.Select(p => (JsonNode)new JsonObject { ["phase"] = p.Phase, ["bytes"] = p.Bytes, ["at"] = p.At })]),
            ["largestActivations"] = new JsonArray([.. largest.Select(h => (JsonNode)new JsonObject { ["name"] = h.Name, ["count"] = h.Count, ["bytes"] = h.Bytes })]),
        });
        return Faults.Done;
    }

    // What goes in and comes out.
    private static string Ends(ModelConfig model) => string.Join(", ", new[]
    {
        model.HasVocab ? $"vocabulary {Display.Count(model.Vocab)}" : null,
        model.Inputs > 0 ? $"{Display.Count(model.Inputs, "feature")} in" : null,
        model.Outputs > 0 ? $"{Display.Count(model.Outputs, "value")} out" : null,
    }.OfType<string>());

    private static string Describe(RunConfig config)
    {
        ModelConfig model = config.Model;
        string kinds = string.Join(", ", model.LayerConfigs()
            .GroupBy(layer => $"{layer.Mixer.Kind} + {layer.FeedForward.Kind}")
            .Select(group => $"{group.Count()} × {group.Key}"));
        return $"{config.Preset}: {kinds}, width {Display.Count(model.Width)}, {Display.Count(model.Heads, "head")} of {Display.Count(model.HeadDim)}, hidden {Display.Count(model.Hidden)}, context {Display.Count(model.Context)}, {Ends(model)}";
    }
}
