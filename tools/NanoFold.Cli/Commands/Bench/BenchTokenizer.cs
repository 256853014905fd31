using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text;

namespace NanoFold.Cli.Commands.Bench;

/// <summary><c>bench tokenizer</c>: text encoded and decoded.</summary>
internal static class BenchTokenizer
{
    private const long DefaultBytes = 8 << 20;

    public static void Build(VerbCommand command)
    {
        Option<string?> model = TokenizerCommand.AddModel(command);
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text, or - for standard input; the default corpus if not given");
        Option<long?> bytes = command.Integer("--bytes", $"Bytes of it that are encoded; {Display.Count(DefaultBytes)} if not given", 1, 1 << 30);
        var reading = new TextOptions(command);
        command.Common = [];
        command.JsonKeys = "firstBytesPerSecond (encoded by a tokenizer that has seen nothing yet), encodeBytesPerSecond (the same text again), decodeBytesPerSecond (medians of seven rounds on one thread), tokens, bytes, vocab";
        command.Does(invocation => Run(
            invocation,
            () => TokenizerCommand.Load(invocation, model),
            Text(Corpus.OpenOrDefault(invocation.Get(data), reading.Reading(invocation)), invocation.Get(bytes) ?? DefaultBytes)));
    }

    private static byte[] Text(Corpus corpus, long most)
    {
        using Corpus opened = corpus;
        byte[] text = new byte[Math.Min(corpus.Bytes, most)];
        int at = 0;
        foreach (Document document in corpus.Documents)
        {
            int length = (int)Math.Min(document.Bytes, text.Length - at);
            document.Read(0, text.AsSpan(at, length));
            at += length;
        }

        return at > 0 ? text : throw new UserException($"{corpus.Name}: has no text");
    }

    private static int Run(Invocation invocation, Func<Tokenizer> load, byte[] text)
    {
        int vocab = load().Vocab;
        TokenizerBenchmark result = TokenizerBenchmark.Run(load, text);
        Output output = invocation.Output;
        output.Table(
            numbers: false,
            ["encoded first", Rate(result.FirstBytesPerSecond)],
            ["encoded again", Rate(result.EncodeBytesPerSecond)],
            ["decoded", Rate(result.DecodeBytesPerSecond)],
            ["text", $"{Display.Count(result.Bytes, "byte")}, {Display.Number((double)result.Bytes / result.Tokens, "0.00")} to a token of {Display.Count(vocab)}"]);
        output.Result(new JsonObject
        {
            ["firstBytesPerSecond"] = result.FirstBytesPerSecond,
            ["encodeBytesPerSecond"] = result.EncodeBytesPerSecond,
            ["decodeBytesPerSecond"] = result.DecodeBytesPerSecond,
            ["tokens"] = result.Tokens,
            ["bytes"] = result.Bytes,
            ["vocab"] = vocab,
        });
        return Faults.Done;
    }

    private static string Rate(double bytesPerSecond) => $"{Display.Number(bytesPerSecond / 1e6, "0.0")} MB/s";
}
