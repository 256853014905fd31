using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>plan</c>: what a model costs, before anything is allocated.</summary>
internal static class PlanCommand
{
    public static void Build(VerbCommand command)
    {
        var train = new TrainOptions(command);
        command.JsonKeys = "parameters, parametersByPart {embedding, mixer, feedForward, norms, head}, vocab, flopsPerToken, executedFlopsPerToken, cacheBytesPerSequence, tokensPerStep (null while the batch is auto), peakBytes (of training, by parts: memory {parameters, gradients, optimizer, activations})";
        command.Does(invocation => Run(invocation, train.Config(invocation)));
    }

    private static int Run(Invocation invocation, RunConfig config)
    {
        config = TrainOptions.WithVocab(config);
        CostModel cost = CostModel.Of(config.Model);
        long? tokensPerStep = config.Train.Batch > 0 ? (long)config.Train.Batch * config.Train.Accumulate * config.Model.Context : null;

        using Backend backend = Devices.Open(invocation);
        MemoryPlan memory = MemoryPlan.Of(config, backend);
        Output output = invocation.Output;
        output.Text.WriteLine(Describe(config));
        output.Table(
            numbers: true,
            ["parameters", Display.Count(cost.Parameters)],
            ["  embedding", Display.Count(cost.Embedding)],
            ["  mixers", Display.Count(cost.Mixer)],
            ["  feed-forwards", Display.Count(cost.FeedForward)],
            ["  norms", Display.Count(cost.Norms)],
            [config.Model.Tied ? "  head (tied)" : "  head", Display.Count(cost.Head)]);
        output.Table(
            numbers: false,
            ["FLOPs per token", $"{Display.Quantity(cost.FlopsPerToken, "FLOP")} ({Display.Quantity(cost.ExecutedFlopsPerToken, "FLOP")} under the causal mask)"],
            ["tokens per step", tokensPerStep is { } tokens ? Display.Count(tokens) : "by batch size: auto"],
            ["cache per sequence", Display.Bytes(cost.CacheBytesPerSequence)],
            ["peak memory of training", $"{Display.Bytes(memory.PeakBytes)}: parameters {Display.Bytes(memory.ParameterBytes)}, gradients {Display.Bytes(memory.GradientBytes)}, optimizer {Display.Bytes(memory.OptimizerBytes)}, activations {Display.Bytes(memory.ArenaBytes)}"]);
        output.Result(new JsonObject
        {
            ["parameters"] = cost.Parameters,
            ["parametersByPart"] = new JsonObject
            {
                ["embedding"] = cost.Embedding,
                ["mixer"] = cost.Mixer,
                ["feedForward"] = cost.FeedForward,
                ["norms"] = cost.Norms,
                ["head"] = cost.Head,
            },
            ["vocab"] = config.Model.Vocab,
            ["flopsPerToken"] = cost.FlopsPerToken,
            ["executedFlopsPerToken"] = cost.ExecutedFlopsPerToken,
            ["cacheBytesPerSequence"] = cost.CacheBytesPerSequence,
            ["tokensPerStep"] = tokensPerStep,
            ["peakBytes"] = memory.PeakBytes,
            ["memory"] = new JsonObject
            {
                ["parameters"] = memory.ParameterBytes,
                ["gradients"] = memory.GradientBytes,
                ["optimizer"] = memory.OptimizerBytes,
                ["activations"] = memory.ArenaBytes,
            },
        });
        return Faults.Done;
    }

    private static string Describe(RunConfig config)
    {
        ModelConfig model = config.Model;
        string kinds = string.Join(", ", model.LayerConfigs()
            .GroupBy(layer => $"{layer.Mixer.Kind} + {layer.FeedForward.Kind}")
            .Select(group => $"{group.Count()} × {group.Key}"));
        return $"{config.Preset}: {kinds}, width {model.Width}, {model.Heads} heads of {model.HeadDim}, hidden {model.Hidden}, context {model.Context}, vocabulary {model.Vocab}";
    }
}
