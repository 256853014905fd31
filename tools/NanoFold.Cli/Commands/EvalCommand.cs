using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>eval</c>: the loss of a checkpoint on a text.</summary>
internal static class EvalCommand
{
    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", "A run folder (its best checkpoint) or a checkpoint");
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text; all of it is evaluated");
        command.JsonKeys = "loss (nats per token), bitsPerByte, perplexity, tokens, bytes";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage("--model is needed: a run folder of train, or a checkpoint"),
            invocation.Get(data) ?? throw UserException.Usage("--data is needed: a file, folder or pattern of text")));
    }

    private static int Run(Invocation invocation, string path, string data)
    {
        using Backend backend = Devices.Open(invocation);
        (Transformer model, Tokenizer tokenizer, RunConfig config) = ModelFile.Load(path, backend);
        using Transformer owned = model;
        var options = DataOptions.Of(config.Data) with { Validation = null, ValidationShare = 1 };
        using TokenDataset dataset = new TokenCache().Open(Corpus.Open(data), TokenizerSpec.Given(tokenizer), options, invocation.Output.Note);
        int rows = Math.Max(1, Math.Min(64, 4096 / config.Model.Context));
        var source = new EvaluationSource(dataset.Validation, data, rows, config.Model.Context);
        using var evaluator = new Evaluator(model, source, null, tokenizer.ByteLengths, config.Data.MaskDocuments);
        Evaluation result = evaluator.Run();
        if (!double.IsFinite(result.Loss))
        {
            throw new UserException($"{path}: its loss on {data} is not finite; its weights are damaged or its training diverged");
        }

        Output output = invocation.Output;
        output.Table(
            numbers: false,
            ["loss", $"{Display.Number(result.Loss, "0.0000")} nats per token"],
            ["bits per byte", Display.Number(result.BitsPerByte, "0.0000")],
            ["perplexity", Display.Number(result.Perplexity, "0.00")],
            ["tokens", Display.Count(result.Tokens)],
            ["bytes", Display.Count(result.Bytes)]);
        output.Result(new JsonObject
        {
            ["loss"] = result.Loss,
            ["bitsPerByte"] = result.BitsPerByte,
            ["perplexity"] = result.Perplexity,
            ["tokens"] = result.Tokens,
            ["bytes"] = result.Bytes,
        });
        return Faults.Done;
    }
}
