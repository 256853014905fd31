using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;

namespace NanoFold.Cli.Commands;

/// <summary><c>data</c>: what would be trained on, as text and as tokens.</summary>
internal static class DataCommand
{
    public static void Build(VerbCommand command)
    {
        VerbCommand corpus = command.Sub("corpus", "Files, documents and bytes of the text");
        var corpusOptions = new TrainOptions(corpus, "--task", "--preset", "--steps", "--minutes", "--batch", "--context", "--precision", "--init", "--out");
        corpus.Common = [];
        corpus.JsonKeys = "name, files (that were read), documents, bytes, hash (SHA-256 of the text), notes (what of it was not read as it may be meant)";
        corpus.Does(invocation => Describe(invocation, corpusOptions.Config(invocation)));

        VerbCommand tokenize = command.Sub("tokenize", "Tokenize the text as train would, into the token cache");
        var tokenizeOptions = new TrainOptions(tokenize, "--task", "--steps", "--minutes", "--batch", "--context", "--precision", "--init", "--out");
        tokenize.Common = [CommonOptions.Seed];
        tokenize.JsonKeys = "name, tokenizer, vocab, trainTokens, validationTokens, heldBack {documents (a part counts), ofDocuments, bytes, names (of up to 100)} (null with data.validation), bytes, bytesPerToken, hash, fromCache, seconds";
        tokenize.Does(invocation => Tokenize(invocation, tokenizeOptions.Config(invocation)));

        DataTaskCommand.Build(command.Sub("task", "Rows of a task as a model gets them, and the scores to compare with"));
    }

    private static int Describe(Invocation invocation, RunConfig config)
    {
        using Corpus corpus = Corpus.OpenOrDefault(config.Data.Path, config.Data.Reading);
        Output output = invocation.Output;
        TextOptions.Tell(output, corpus);

        output.Table(
            numbers: false,
            ["corpus", corpus.Name],
            ["files", Display.Count(corpus.FilesRead)],
            ["documents", Display.Count(corpus.Documents.Count)],
            ["bytes", Display.Count(corpus.Bytes)],
            ["hash", corpus.Hash]);
        output.Result(new JsonObject
        {
            ["name"] = corpus.Name,
            ["files"] = corpus.FilesRead,
            ["documents"] = corpus.Documents.Count,
            ["bytes"] = corpus.Bytes,
            ["hash"] = corpus.Hash,
            ["notes"] = new JsonArray([.. corpus.Notes.Select(note => JsonValue.Create(note))]),
        });
        return Faults.Done;
    }

    private static int Tokenize(Invocation invocation, RunConfig config)
    {
        Output output = invocation.Output;
        long start = Stopwatch.GetTimestamp();
        using TokenDataset dataset = TrainData.Open(config, output.Note, invocation.Interrupt.Token);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        if (TextTask.DoubtAbout(dataset, config.Data) is { } doubt)
        {
            output.Note(doubt);
        }

        long tokens = dataset.Train.Tokens + dataset.Validation.Tokens;
        long bytes = dataset.Train.TextBytes + dataset.Validation.TextBytes;
        double bytesPerToken = (double)bytes / Math.Max(1, tokens);
        output.Table(
            numbers: false,
            ["corpus", dataset.Name],
            ["tokenizer", $"{dataset.Tokenizer.Name} of {Display.Count(dataset.Tokenizer.Vocab)}"],
            ["to train on", $"{Display.Count(dataset.Train.Tokens)} tokens"],
            ["to validate on", $"{Display.Count(dataset.Validation.Tokens)} tokens"],
            ["of the text", config.Data.Validation is { } own ? $"all, as {own} is for validation" : dataset.HeldBack.ToString()],
            ["bytes per token", Display.Number(bytesPerToken, "0.000")],
            [dataset.FromCache ? "read from the cache" : "tokenized", $"in {Display.Number(seconds)} s"]);
        output.Result(new JsonObject
        {
            ["name"] = dataset.Name,
            ["tokenizer"] = dataset.Tokenizer.Name,
            ["vocab"] = dataset.Tokenizer.Vocab,
            ["trainTokens"] = dataset.Train.Tokens,
            ["validationTokens"] = dataset.Validation.Tokens,
            ["heldBack"] = config.Data.Validation is not null ? null : new JsonObject
            {
                ["documents"] = dataset.HeldBack.Documents,
                ["ofDocuments"] = dataset.HeldBack.AllDocuments,
                ["bytes"] = dataset.HeldBack.Bytes,
                ["names"] = new JsonArray([.. dataset.HeldBack.Names.Select(name => JsonValue.Create(name))]),
            },
            ["bytes"] = bytes,
            ["bytesPerToken"] = bytesPerToken,
            ["hash"] = dataset.ContentHash,
            ["fromCache"] = dataset.FromCache,
            ["seconds"] = seconds,
        });
        return Faults.Done;
    }
}
