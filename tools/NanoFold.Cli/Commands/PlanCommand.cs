using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Cli.Commands;

/// <summary><c>plan</c>: what a model costs, by formula.</summary>
internal static class PlanCommand
{
    public static void Build(VerbCommand command)
    {
        var train = new TrainOptions(command);
        command.JsonKeys = "parameters, parametersByPart {embedding, mixer, feedForward, norms, head}, vocab, flopsPerToken, executedFlopsPerToken, cacheBytesPerSequence, tokensPerStep (null while the batch is auto)";
        command.Does(invocation => Run(invocation, train.Config(invocation)));
    }

    private static int Run(Invocation invocation, RunConfig config)
    {
        config = config.WithVocab(config.Tokenizer is FileTokenizerConfig file
            ? Tokenizer.Load(file.Path!).Vocab
            : config.Tokenizer.ExpectedVocab(config.Data));
        CostModel cost = CostModel.Of(config.Model);
        long? tokensPerStep = config.Train.Batch > 0 ? (long)config.Train.Batch * config.Train.Accumulate * config.Model.Context : null;

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
            ["cache per sequence", Display.Bytes(cost.CacheBytesPerSequence)]);
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
