using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Text;

namespace NanoFold.Cli.Commands;

/// <summary><c>tokenizer</c>: trains one, and shows what one does.</summary>
internal static class TokenizerCommand
{
    private static readonly int s_defaultVocab = new BpeTokenizerConfig().Vocab;

    public static void Build(VerbCommand command)
    {
        BuildTrain(command.Sub("train", "Train a byte-level BPE on a text"));
        BuildEncode(command.Sub("encode", "Turn text into tokens"));
        BuildDecode(command.Sub("decode", "Turn tokens into text"));
    }

    private static void BuildTrain(VerbCommand command)
    {
        Option<string?> data = command.Text("--data", "PATH", "A file, folder or pattern of text, or - for standard input; the default corpus if not given");
        var reading = new TextOptions(command);
        Option<string?> folder = command.Text("--out", "DIR", "The folder that gets the tokenizer.json; the current one if not given and none is there");
        Option<long?> vocab = command.Integer("--vocab", $"Symbols, 256 bytes and marks included ({s_defaultVocab} if not given)", 258, BpeTrainer.LargestVocab);
        Option<bool> marks = command.Flag("--marks", "Have two symbols that begin and end a document");
        command.Common = [];
        command.JsonKeys = "path, vocab, merges, bytes, fingerprint, seconds";
        command.Does(invocation => Train(
            invocation,
            Corpus.OpenOrDefault(invocation.Get(data), reading.Reading(invocation)),
            (int)(invocation.Get(vocab) ?? s_defaultVocab),
            invocation.Get(marks),
            FolderFor(invocation.Get(folder))));
    }

    private static void BuildEncode(VerbCommand command)
    {
        Option<string?> model = AddModel(command);
        Option<string?> file = command.Text("--file", "PATH", "The text, read as train reads it; - for standard input");
        var reading = new TextOptions(command);
        Option<bool> special = command.Flag(Prompts.ParseSpecial, "Take the name of a special token, such as <|im_start|>, as that token; it is text otherwise");
        Option<bool> complete = command.Flag("--complete", "As the program that the tokenizer comes from: special tokens by their names, what its file puts around a text, truncation and padding");
        var text = new Argument<string?>("TEXT") { Description = "The text; standard input if neither it nor a file is given", Arity = ArgumentArity.ZeroOrOne };
        command.Add(text);
        command.Common = [];
        command.JsonKeys = "tokenIds, tokens (what each stands for), count, bytes";
        command.Does(invocation => Encode(
            invocation, Load(invocation, model), Bytes(invocation, invocation.Get(text), invocation.Get(file), reading), invocation.Get(special), invocation.Get(complete)));
    }

    private static void BuildDecode(VerbCommand command)
    {
        Option<string?> model = AddModel(command);
        var ids = new Argument<string[]>("IDS") { Description = "Token ids, separated by spaces or commas; standard input if not given", Arity = ArgumentArity.ZeroOrMore };
        command.Add(ids);
        command.Common = [];
        command.JsonKeys = "text";
        command.Does(invocation => Decode(invocation, Load(invocation, model), invocation.Get(ids) ?? []));
    }

    internal static Option<string?> AddModel(VerbCommand command)
    {
        Option<string?> option = command.Text("--model", "PATH", "A tokenizer's file (tokenizer.json, tokenizer.model, vocab.json, ranks of tiktoken) or the folder of one, a run or a checkpoint, or byte");
        option.Required = true;
        return option;
    }

    internal static Tokenizer Load(Invocation invocation, Option<string?> model)
    {
        string path = invocation.Get(model)!;
        return path == "byte" ? new ByteTokenizer() : SavedTokenizer.Load(path);
    }

    // What is there is replaced only where the folder was named.
    private static string FolderFor(string? given) => given is null && File.Exists(Tokenizer.FileName)
        ? throw new UserException($"{Tokenizer.FileName}: is there already; name a folder with --out, or --out . to replace it")
        : given ?? ".";

    private static int Train(Invocation invocation, Corpus corpus, int vocab, bool marks, string folder)
    {
        long start = Stopwatch.GetTimestamp();
        TextOptions.Tell(invocation.Output, corpus);

        BpeTokenizer tokenizer = BpeLearning.Learn(corpus.Documents.Select(document => new TextPiece(document, 0, document.Bytes)), vocab, marks);
        tokenizer.Save(folder);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        string path = Path.Combine(folder, Tokenizer.FileName);
        Output output = invocation.Output;
        output.Line(
            $"{path}: {Display.Count(tokenizer.Vocab, "symbol")}, {Display.Count(tokenizer.Merges, "merge")} from {Display.Count(corpus.Bytes, "byte")} of {corpus.Name} in {Display.Number(seconds, "0.0")} s");
        output.Result(new JsonObject
        {
            ["path"] = path,
            ["vocab"] = tokenizer.Vocab,
            ["merges"] = tokenizer.Merges,
            ["bytes"] = corpus.Bytes,
            ["fingerprint"] = tokenizer.Fingerprint,
            ["seconds"] = seconds,
        });
        return Faults.Done;
    }

    private static int Encode(Invocation invocation, Tokenizer tokenizer, byte[] text, bool specials, bool complete)
    {
        var found = new List<int>();
        if (complete)
        {
            found.AddRange(tokenizer.EncodeComplete(System.Text.Encoding.UTF8.GetString(text), around: true));
        }
        else if (specials)
        {
            tokenizer.EncodePrompt(text, found);
        }
        else
        {
            tokenizer.Encode(text, found);
        }

        int[] ids = [.. found];
        Output output = invocation.Output;
        output.Text.WriteLine(string.Join(' ', ids.Select(id => id.ToString(CultureInfo.InvariantCulture))));
        output.Result(new JsonObject
        {
            ["tokenIds"] = new JsonArray([.. ids.Select(id => JsonValue.Create(id))]),
            ["tokens"] = new JsonArray([.. ids.Select(id => JsonValue.Create(tokenizer.Describe(id)))]),
            ["count"] = ids.Length,
            ["bytes"] = text.Length,
        });
        return Faults.Done;
    }

    private static int Decode(Invocation invocation, Tokenizer tokenizer, string[] words)
    {
        string all = words.Length > 0 ? string.Join(' ', words) : Console.In.ReadToEnd();
        int[] ids = [.. all.Split([' ', ',', '\t', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(word => IdOf(word, tokenizer))];
        string text = tokenizer.DecodeText(ids);
        Output output = invocation.Output;
        output.Text.Write(text);
        if (output.IsTerminal)
        {
            // A file or a program gets the text and nothing else.
            output.Text.WriteLine();
        }

        output.Result(new JsonObject { ["text"] = text });
        return Faults.Done;
    }

    private static int IdOf(string word, Tokenizer tokenizer)
        => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id < tokenizer.Vocab
            ? id
            : throw UserException.Usage($"'{word}' is not a token id; this tokenizer has 0 to {tokenizer.Vocab - 1}");

    private static byte[] Bytes(Invocation invocation, string? text, string? file, TextOptions reading)
    {
        if (text is not null && file is not null)
        {
            throw UserException.Usage("give the text or --file, not both");
        }

        if (text is not null)
        {
            return System.Text.Encoding.UTF8.GetBytes(text);
        }

        if (file is not null)
        {
            return ReadAll(invocation, file, reading);
        }

        using Stream input = Console.OpenStandardInput();
        using var bytes = new MemoryStream();
        input.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static byte[] ReadAll(Invocation invocation, string file, TextOptions reading)
    {
        using Corpus corpus = Corpus.Open(file, reading.Reading(invocation));
        TextOptions.Tell(invocation.Output, corpus);

        if (corpus.Bytes > Array.MaxLength)
        {
            throw new UserException($"{file}: has {corpus.Bytes} bytes; data tokenize takes texts of that size");
        }

        byte[] bytes = new byte[corpus.Bytes];
        int at = 0;
        foreach (Document document in corpus.Documents)
        {
            document.Read(0, bytes.AsSpan(at, (int)document.Bytes));
            at += (int)document.Bytes;
        }

        return bytes;
    }
}
