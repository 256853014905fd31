using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands;

/// <summary><c>eval</c>: the loss of a checkpoint on a text.</summary>
internal static class EvalCommand
{
    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", "A run folder (its best checkpoint) or a checkpoint");
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text, or - for standard input; all of it is evaluated");
        var reading = new TextOptions(command);
        command.Common = [CommonOptions.Device, CommonOptions.Threads];
        command.JsonKeys = "loss (nats per token), bitsPerByte, perplexity, tokens, bytes";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage("--model is needed: a run folder of train, or a checkpoint"),
            invocation.Get(data) ?? throw UserException.Usage("--data is needed: a file, folder or pattern of text"),
            reading));
    }

    private static int Run(Invocation invocation, string path, string data, TextOptions reading)
    {
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        using Corpus corpus = Corpus.Open(data, reading.Reading(invocation, trained.Config.Data.Reading));
        Evaluation result = trained.Evaluate(corpus, invocation.Output.Note);
        Output output = invocation.Output;
        output.Table(
            numbers: false,
            ["loss", $"{Display.Number(result.Loss, "0.0000")} nats per token"],
            ["bits per byte", Display.Number(result.BitsPerByte, "0.0000")],
            ["perplexity", Display.Number(result.Perplexity, "0.00")],
            ["tokens", Display.Count(result.Tokens)],
            ["bytes", Display.Count(result.Bytes)]);
        if (!double.IsFinite(result.Perplexity))
        {
            output.Note("this loss has no perplexity that a number can hold: the model has diverged; train it again with a lower train.learningRate");
        }

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
