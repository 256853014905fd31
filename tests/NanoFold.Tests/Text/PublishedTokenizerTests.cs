using System.Text.Json;
using NanoFold.Engine.Text;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Text;

/// <summary>
/// Tokenizers that tokenizers, sentencepiece and tiktoken wrote, and the ids that they give for hard texts: equal ids, equal texts back, and the same after
/// this program has written the tokenizer itself.
/// </summary>
[Category("Published")]
public class PublishedTokenizerTests
{
    private const string Folder = "peers/tokenizers";

    private static IEnumerable<string> Names => SharedData.Find(Folder) is { } folder
        ? Directory.GetDirectories(folder).Select(path => Path.GetFileName(path)!).Where(name => File.Exists(Path.Combine(folder, name, "cases.jsonl"))).Order()
        : [""];

    [TestCaseSource(nameof(Names))]
    public void IdsAndTextsAreTheOriginals(string name)
    {
        var agreement = new CaseAgreement("tokenizers", name);
        string folder = SharedData.Path($"{Folder}/{name}");
        Tokenizer tokenizer = Tokenizer.Load(folder);
        Tokenizer again = Tokenizer.Parse(tokenizer.Serialize(), "again");
        Assert.That(again.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
        int checkedAgain = 0, decoded = 0;
        foreach (JsonElement line in Lines(folder, "cases.jsonl"))
        {
            Check(tokenizer, name, line);
            if (checkedAgain++ % 8 == 0)
            {
                Check(again, name, line);
            }
        }

        foreach (JsonElement line in Lines(folder, "decode.jsonl"))
        {
            int[] ids = [.. IdsOf(line.GetProperty("ids")).Where(id => id < tokenizer.Vocab)];
            Assert.That(tokenizer.DecodeText(ids, names: true), Is.EqualTo(line.GetProperty("decoded").GetString()), line.GetRawText());
            if (line.TryGetProperty("bytesHex", out JsonElement bytes))
            {
                Assert.That(Convert.ToHexStringLower(tokenizer.Decode(ids)), Is.EqualTo(bytes.GetString()), line.GetRawText());
            }

            decoded++;
        }

        agreement.Same($"ids of {checkedAgain} texts, text of {decoded} lists of ids");
        agreement.Record();
    }

    [TestCase("bytelevel-gpt2", true)]
    [TestCase("bytelevel-gpt2-prefixspace", true)]
    [TestCase("split-cl100k", true)]
    [TestCase("split-o200k", true)]
    [TestCase("split-qwen2-nfc", true)]
    [TestCase("split-deepseek-v3", true)]
    [TestCase("smollm-digits", true)]
    [TestCase("falcon-punctuation", true)]
    [TestCase("tiktoken-llama3", true)]
    [TestCase("spbpe-llama2-legacy", false)]
    [TestCase("split-removed-inverted", false)]
    [TestCase("sp-unigram", false)]
    public void LongTextsAreReadInPartsWhereThatChangesNothing(string name, bool parts)
    {
        Tokenizer tokenizer = Tokenizer.Load(SharedData.Path($"{Folder}/{name}"));
        byte[] text = System.Text.Encoding.UTF8.GetBytes(Samples.English + Samples.Mixed);
        int cut = tokenizer.CutBefore(text);
        Assert.That(cut > 0, Is.EqualTo(parts));
        Assert.That((int[])[.. tokenizer.Encode(text.AsSpan(0, cut)), .. tokenizer.Encode(text.AsSpan(cut))], Is.EqualTo(tokenizer.Encode(text.AsSpan())));
    }

    [Test]
    public void PiecesAreThePublishedOnes()
    {
        string folder = SharedData.Path(Folder);
        Dictionary<string, PieceRecorder> known = [];
        int pieces = 0;
        foreach (JsonElement line in Lines(folder, "pretokens.jsonl"))
        {
            string name = line.GetProperty("case").GetString()!;
            if (!known.TryGetValue(name, out PieceRecorder? recorder))
            {
                known[name] = recorder = PieceRecorder.Of(Path.Combine(folder, name));
            }

            string text = line.GetProperty("text").GetString()!;
            if (recorder.CutsCharacters && !System.Text.Ascii.IsValid(text))
            {
                // Parts of a character are told as the whole one there.
                continue;
            }

            string[] expected = [.. line.GetProperty("pieces").EnumerateArray().Select(piece => piece.GetString()!)];
            Assert.That(recorder.Cut(text), Is.EqualTo(expected), line.GetRawText());
            pieces += expected.Length;
        }

        Assert.That(pieces, Is.GreaterThan(1000));
    }

    private static void Check(Tokenizer tokenizer, string name, JsonElement line)
    {
        string text = line.GetProperty("text").GetString()!;
        int[] ids = IdsOf(line.GetProperty("ids"));
        bool around = line.TryGetProperty("addSpecial", out JsonElement add) && add.GetBoolean();
        bool plain = name.StartsWith("pair-", StringComparison.Ordinal) || (line.TryGetProperty("allowedSpecial", out JsonElement allowed) && allowed.GetString() == "none");
        Same(plain ? tokenizer.Encode(text) : tokenizer.EncodeComplete(text, around), ids, line);
        if (line.TryGetProperty("idsWithEndOfTextSpecial", out JsonElement special))
        {
            Same(tokenizer.EncodePrompt(text), IdsOf(special), line);
        }

        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(text);
        if (tokenizer.CutBefore(bytes) is > 0 and var cut)
        {
            // Long texts are read in parts.
            Same([.. tokenizer.Encode(bytes.AsSpan(0, cut)), .. tokenizer.Encode(bytes.AsSpan(cut))], tokenizer.Encode(text), line);
        }

        Same(tokenizer.DecodeText(ids, names: true), line.GetProperty("decoded").GetString()!, line);
        if (line.TryGetProperty("decodedSkipSpecial", out JsonElement skipped))
        {
            Same(tokenizer.DecodeText(ids), skipped.GetString()!, line);
        }
    }

    // Without an assertion for each of the many lines, which takes longer than what it asserts.
    private static void Same(int[] actual, int[] expected, JsonElement line)
    {
        if (!actual.AsSpan().SequenceEqual(expected))
        {
            Assert.That(actual, Is.EqualTo(expected), line.GetRawText());
        }
    }

    private static void Same(string actual, string expected, JsonElement line)
    {
        if (actual != expected)
        {
            Assert.That(actual, Is.EqualTo(expected), line.GetRawText());
        }
    }

    private static int[] IdsOf(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private static IEnumerable<JsonElement> Lines(string folder, string file)
    {
        string path = Path.Combine(folder, file);
        return File.Exists(path) ? File.ReadLines(path).Select(line => JsonDocument.Parse(line).RootElement) : [];
    }

    /// <summary>The steps of a file before its model, with a last one that keeps what comes to it.</summary>
    private sealed class PieceRecorder : Stage
    {
        private readonly List<string> _pieces = [];
        private readonly EncodeState _state;
        private readonly Stage _start;

        private PieceRecorder(IReadOnlyList<Stage> stages)
        {
            Stage[] all = [.. stages, this];
            for (int i = 0; i < all.Length; i++)
            {
                all[i].Slot = i;
                all[i].Next = i + 1 < all.Length ? all[i + 1] : null!;
            }

            (_start, _state, CutsCharacters) = (all[0], new EncodeState(all.Length, null), stages.Any(stage => stage is ByteMapStage));
        }

        /// <summary>Whether steps come after bytes were written as characters.</summary>
        public bool CutsCharacters { get; }

        public static PieceRecorder Of(string folder)
        {
            string json = Path.Combine(folder, "tokenizer.json");
            if (!File.Exists(json))
            {
                JsonElement encoding = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "encoding.json"))).RootElement;
                return new PieceRecorder([new PatternStage(Pattern.Of(encoding.GetProperty("pat_str").GetString()!, PatternDialect.Rust), SplitBehavior.Isolated, false)]);
            }

            JsonElement root = JsonDocument.Parse(File.ReadAllText(json)).RootElement;
            bool bytes = new StageReader(new JsonFields(json)).EndsInBytes(JsonFields.Part(root, "pre_tokenizer"));
            return new PieceRecorder(new StageReader(new JsonFields(json)).Read(JsonFields.Part(root, "pre_tokenizer"), bytes));
        }

        public string[] Cut(string text)
        {
            _pieces.Clear();
            if (text.Length > 0)
            {
                _start.Run(System.Text.Encoding.UTF8.GetBytes(text), true, _state);
            }

            return [.. _pieces];
        }

        public override void Run(ReadOnlySpan<byte> piece, bool first, EncodeState state)
        {
            string text = System.Text.Encoding.UTF8.GetString(piece);
            _pieces.Add(CutsCharacters && ByteUnicode.TryDecode(text, out byte[]? bytes) ? System.Text.Encoding.UTF8.GetString(bytes) : text);
        }
    }
}
