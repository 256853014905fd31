using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Text;
using NanoFold.Tests.Generation;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Text;

/// <summary>Files of tokenizers in the formats of other programs.</summary>
public class TokenizerFormatTests
{
    private static readonly SentencePieceModel s_model = new()
    {
        Pieces =
        [
            new("<unk>"u8.ToArray(), 0, PieceKind.Unknown), new("<s>"u8.ToArray(), 0, PieceKind.Control), new("</s>"u8.ToArray(), 0, PieceKind.Control),
            .. Enumerable.Range(0, 256).Select(value => new SentencePiece(Encoding.ASCII.GetBytes($"<0x{value:X2}>"), 0, PieceKind.Byte)),
            Piece("▁a", -1), Piece("ab", -2), Piece("▁ab", -3), Piece("▁", -4), Piece("a", -5), Piece("b", -6), Piece("abab", -7),
        ],
        Method = PieceMethod.Bpe,
        ByteFallback = true,
        RemoveExtraWhitespaces = false,
    };

    [Test]
    public void ASentencePieceModelIsWrittenAndRead()
    {
        var tokenizer = new SentencePieceTokenizer(s_model);
        Assert.That(tokenizer.Encode("ab abab"), Is.EqualTo(new[] { 261, 261, 260 }));
        Tokenizer fromFile = Tokenizer.Parse(SentencePieceFile.Write(s_model), "tokenizer.model");
        Tokenizer fromJson = Tokenizer.Parse(tokenizer.Serialize(), "tokenizer.json");
        Tokenizer fromLlama2C = Tokenizer.Parse(Llama2CFile.Write(s_model), "tokenizer.bin");
        foreach (string text in (string[])["", "ab", "ab abab  a", "xé\u0001", " ab"])
        {
            int[] expected = tokenizer.Encode(text);
            foreach (Tokenizer other in (Tokenizer[])[fromFile, fromJson, fromLlama2C])
            {
                Assert.That(other.Encode(text), Is.EqualTo(expected), text);
                Assert.That(other.DecodeText(expected), Is.EqualTo(text));
            }
        }

        Assert.That((fromLlama2C.Bos, fromLlama2C.Eos, fromLlama2C.Vocab), Is.EqualTo(((int?)1, (int?)2, s_model.Pieces.Count)));
        Assert.That(fromJson.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
    }

    [Test]
    public void ControlsAreFoundInPromptsOnlyWhereAsked()
    {
        var tokenizer = new SentencePieceTokenizer(s_model);
        Assert.That(tokenizer.Encode("<s>a</s>"), Has.None.EqualTo(1).And.None.EqualTo(2));
        Assert.That(tokenizer.EncodePrompt("<s>a</s>a"), Is.EqualTo(new[] { 1, 259, 2, 259 }), "text after a control begins as any other");
        Assert.That(tokenizer.EncodePrompt("<s>a", specials: true), Is.EqualTo(new[] { 1, 259 }), "the begin of a document comes once");
        Assert.That(tokenizer.EncodePrompt("a", specials: true), Is.EqualTo(new[] { 1, 259 }));
        Tokenizer without = Tokenizer.Parse(new SentencePieceTokenizer(s_model with { AddBos = false }).Serialize(), "again");
        Assert.That(without.EncodePrompt("a", specials: true), Is.EqualTo(new[] { 259 }));
    }

    [Test]
    public void NamesOfSpecialsAreTextUnlessAsked()
    {
        BpeTokenizer tokenizer = Samples.Train(350, documentMarks: true);
        Assert.That(tokenizer.EncodePrompt("<|bos|>cat<|eos|>"), Is.EqualTo((int[])[348, .. tokenizer.Encode("cat"), 349]));
        Assert.That(tokenizer.EncodePrompt("<|bos|>cat", specials: false), Is.EqualTo((int[])[348, .. tokenizer.Encode("<|bos|>cat")]));
        Assert.That(tokenizer.DecodeText([348, .. tokenizer.Encode("cat"), 349], names: true), Is.EqualTo("<|bos|>cat<|eos|>"));
        Assert.That(new ByteTokenizer(documentMarks: true).EncodePrompt("a<|eos|>"), Is.EqualTo(new[] { 97, 257 }));
    }

    [Test]
    public void Llama2CsFileIsReadAsItsOwnProgramDoes()
    {
        string path = SharedData.Path("stories260K-tok512.bin");
        Tokenizer tokenizer = Tokenizer.Load(path);
        Llama2CTokenizer expected = Llama2CTokenizer.Read(path, tokenizer.Vocab);
        Assert.That(tokenizer.Vocab, Is.EqualTo(512));
        foreach (string text in (string[])["Once upon a time, there was a little girl", "", "a", "  two  spaces\n", "naïve 中文 😀", "Lily's ball!"])
        {
            Assert.That(tokenizer.Encode(text), Is.EqualTo(expected.Encode(text)), text);
        }

        Assert.That(Llama2CFile.Write(((SentencePieceTokenizer)tokenizer).Model), Is.EqualTo(File.ReadAllBytes(path)));
    }

    [Test]
    public void MergesNeedTheirVocabulary()
    {
        using var folder = new TempFolder();
        folder.Write("merges.txt", "#version: 0.2\nt h\nth e\n");
        Assert.That(() => Tokenizer.Load(folder.At("merges.txt")), Throws.TypeOf<UserException>().With.Message.EndsWith("needs vocab.json beside it"));
        IEnumerable<string> tokens = Enumerable.Range(0, 256).Select(value => ByteUnicode.CharOf((byte)value).ToString()).Concat(["th", "the", "<|endoftext|>"]);
        folder.Write("vocab.json", "{" + string.Join(',', tokens.Select((token, id) => $"{System.Text.Json.JsonSerializer.Serialize(token)}:{id}")) + "}");
        foreach (string path in (string[])[folder.Path, folder.At("merges.txt"), folder.At("vocab.json")])
        {
            Tokenizer tokenizer = Tokenizer.Load(path);
            Assert.That((tokenizer.Vocab, tokenizer.Eos), Is.EqualTo((259, (int?)258)));
            Assert.That(tokenizer.Encode("the"), Is.EqualTo(new[] { 257 }));
        }
    }

    [Test]
    public void RanksNeedTheirPattern()
    {
        using var folder = new TempFolder();
        string ranks = string.Concat(Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}\n")) + "YWI= 256\nYWJj 257\nYmM= 258\n";
        folder.Write("some.tiktoken", ranks);
        Assert.That(() => Tokenizer.Load(folder.Path), Throws.TypeOf<UserException>().With.Message.Contains("put an encoding.json beside it"));
        folder.Write("encoding.json", """{"pat_str": "\\p{L}+|\\s+", "special_tokens": {"<|end|>": 300}}""");
        Tokenizer tokenizer = Tokenizer.Load(folder.Path);
        Assert.That(tokenizer.Vocab, Is.EqualTo(301));
        Assert.That(tokenizer.Encode("abc bcx"), Is.EqualTo(new[] { 257, 32, 258, (int)'x' }), "a whole piece, then the lowest rank first");
        Assert.That(tokenizer.EncodePrompt("ab<|end|>"), Is.EqualTo(new[] { 256, 300 }));
        folder.Write("encoding.json", """{"pat_str": "(?<=ab)c", "special_tokens": {}}""");
        Assert.That(() => Tokenizer.Load(folder.Path), Throws.TypeOf<UserException>().With.Message.EndsWith("looks more than one character behind, which is not supported"));
    }

    [Test]
    public void TheMetadataOfAGgufFileIsATokenizer()
    {
        byte[][] tokens = [.. Enumerable.Range(0, 256).Select(value => Encoding.UTF8.GetBytes(ByteUnicode.CharOf((byte)value).ToString())), "th"u8.ToArray(), "<|im_end|>"u8.ToArray(), "<|x|>"u8.ToArray()];
        var vocabulary = new GgufVocabulary
        {
            Model = "gpt2", Pre = "smollm", Tokens = tokens, Kinds = [.. Enumerable.Repeat(1, 257), 3, 4], Merges = ["t h"], Bos = 257, Eos = 257, AddBos = false,
        };
        Tokenizer tokenizer = vocabulary.ToTokenizer("x.gguf");
        Assert.That((tokenizer.Vocab, tokenizer.Eos), Is.EqualTo((259, (int?)257)));
        Assert.That(tokenizer.EncodePrompt("th12<|im_end|><|x|>", specials: true), Is.EqualTo(new[] { 256, '1', '2', 257, 258 }));
        Assert.That(tokenizer.Encode("<|x|>"), Is.EqualTo(new[] { 258 }), "what is not special is found in any text");
        Tokenizer withStart = (vocabulary with { AddBos = true }).ToTokenizer("x.gguf");
        Assert.That(withStart.EncodePrompt("th", specials: false), Is.EqualTo(new[] { 257, 256 }));
        Assert.That(Tokenizer.Parse(withStart.Serialize(), "again").EncodePrompt("th", specials: false), Is.EqualTo(new[] { 257, 256 }));
        Assert.That(Encoding.UTF8.GetString(withStart.ToHuggingFace()), Does.Contain("TemplateProcessing").And.Not.Contain("nanofold"));
        Assert.That(() => (vocabulary with { Pre = "rot13" }).ToTokenizer("x.gguf"), Throws.TypeOf<UserException>().With.Message.EqualTo("x.gguf: tokenizer.ggml.pre 'rot13' is not supported: how texts are cut is not known"));
        Assert.That(() => (vocabulary with { Eos = 259 }).ToTokenizer("x.gguf"), Throws.TypeOf<UserException>().With.Message.EndsWith("the token 259 is not one of the 259"));

        // Written again it is the same, and so are tokenizers of this program.
        GgufVocabulary again = GgufVocabulary.Of(withStart);
        Assert.That((again.Pre, again.Bos, again.Eos, again.AddBos), Is.EqualTo(("smollm", (int?)257, (int?)257, (bool?)true)));
        Assert.That(again.Tokens, Is.EqualTo(tokens));
        Assert.That(again.Kinds, Is.EqualTo(vocabulary.Kinds));
        Assert.That(again.Merges, Is.EqualTo(vocabulary.Merges));
        Assert.That(GgufVocabulary.Of(Samples.Bpe).ToTokenizer("x.gguf").Encode(Samples.Mixed), Is.EqualTo(Samples.Bpe.Encode(Samples.Mixed)));
        Assert.That(GgufVocabulary.Of(new ByteTokenizer(documentMarks: true)).ToTokenizer("x.gguf").Encode("aé"), Is.EqualTo(new ByteTokenizer().Encode("aé")));

        var pieces = new GgufVocabulary { Model = "llama", Tokens = [.. s_model.Pieces.Select(piece => piece.Text)], Kinds = [.. s_model.Pieces.Select(piece => (int)piece.Kind)], Scores = [.. s_model.Pieces.Select(piece => piece.Score)], Bos = 1, Eos = 2 };
        Tokenizer ofPieces = pieces.ToTokenizer("x.gguf");
        Assert.That(ofPieces.EncodePrompt("ab abab", specials: false), Is.EqualTo(new[] { 1, 261, 261, 260 }));
        Assert.That(GgufVocabulary.Of(ofPieces).Scores, Is.EqualTo(pieces.Scores));
        Assert.That(() => GgufVocabulary.Of(new SentencePieceTokenizer(s_model with { Method = PieceMethod.Unigram })), Throws.TypeOf<UserException>().With.Message.EqualTo("tokenizer: a model of kind Unigram cannot be written in a GGUF file"));
    }

    [Test]
    public void TheConfigurationBesideAFileNamesWhatEndsADocument()
    {
        using var folder = new TempFolder();
        var vocabulary = new GgufVocabulary
        {
            Model = "gpt2", Pre = "smollm", Tokens = [.. Enumerable.Range(0, 256).Select(value => Encoding.UTF8.GetBytes(ByteUnicode.CharOf((byte)value).ToString())), "<|endoftext|>"u8.ToArray(), "<|im_end|>"u8.ToArray()],
            Kinds = [.. Enumerable.Repeat(1, 256), 3, 3],
        };
        folder.Write("tokenizer.json", vocabulary.ToTokenizer("x.gguf").ToHuggingFace());
        Assert.That(Tokenizer.Load(folder.Path).Eos, Is.EqualTo(256), "by its name");
        folder.Write("tokenizer_config.json", """{"bos_token": null, "eos_token": {"content": "<|im_end|>"}}""");
        Tokenizer tokenizer = Tokenizer.Load(folder.Path);
        Assert.That(tokenizer.Eos, Is.EqualTo(257));
        Assert.That(Tokenizer.Parse(tokenizer.Serialize(), "again").Eos, Is.EqualTo(257));
        folder.Write("tokenizer_config.json", "{");
        Assert.That(() => Tokenizer.Load(folder.Path), Throws.TypeOf<UserException>().With.Message.Contains("tokenizer_config.json: not valid JSON"));
    }

    [Test]
    public void MutatedFilesNeverCrash() => Mutate(400, seed: 13);

    [Test]
    [Category("Long")]
    public void TenThousandMutatedFilesNeverCrash() => Mutate(10_000, seed: 14);

    private static void Mutate(int count, int seed)
    {
        byte[] ranks = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}\n")) + "YWI= 256\n");
        byte[][] files = [SentencePieceFile.Write(s_model), Llama2CFile.Write(s_model), ranks, new SentencePieceTokenizer(s_model).Serialize(), .. Published()];
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            byte[] mutated = Mutation.Of(files[i % files.Length], random);
            try
            {
                Tokenizer tokenizer = Tokenizer.Parse(mutated, "tokenizer.model");
                int[] ids = tokenizer.EncodePrompt(Samples.Mixed);
                Assert.That(ids.All(id => id >= 0 && id < tokenizer.Vocab));
                tokenizer.DecodeText(ids, names: true);
                tokenizer.Serialize();
            }
            catch (UserException e)
            {
                Assert.That(e.Message, Does.Not.Contain('\n'));
            }
        }
    }

    private static byte[][] Published() => SharedData.Find("peers/tokenizers") is { } folder
        ? [.. ((string[])["bpe-clip", "json-unigram", "json-wordpiece-bert", "spbpe-llama2-legacy", "split-llama3-ignoremerges-true"]).Select(name => File.ReadAllBytes(Path.Combine(folder, name, "tokenizer.json")))]
        : [];

    private static SentencePiece Piece(string text, float score) => new(Encoding.UTF8.GetBytes(text), score, PieceKind.Normal);
}
