using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Text;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Text;

public sealed class TokenizerJsonTests
{
    [Test]
    public void ABpeIsReadBackAsItWas()
    {
        using var folder = new TempFolder();
        BpeTokenizer tokenizer = Samples.Train(350, documentMarks: true);
        tokenizer.Save(folder.Path);
        Tokenizer fromFolder = Tokenizer.Load(folder.Path);
        Tokenizer fromFile = Tokenizer.Load(folder.At("tokenizer.json"));
        string text = Samples.English + Samples.Chinese + Samples.Mixed;
        Assert.Multiple(() =>
        {
            Assert.That(fromFolder, Is.TypeOf<BpeTokenizer>());
            Assert.That(fromFolder.Encode(text), Is.EqualTo(tokenizer.Encode(text)));
            Assert.That((fromFolder.Vocab, fromFolder.Bos, fromFolder.Eos), Is.EqualTo((350, (int?)348, (int?)349)));
            Assert.That(fromFile.Fingerprint, Is.EqualTo(tokenizer.Fingerprint));
            Assert.That(Directory.GetFiles(folder.Path), Has.Length.EqualTo(1), "nothing is left beside it");
        });
    }

    [TestCase(false)]
    [TestCase(true)]
    public void AByteTokenizerIsReadBackAsOne(bool marks)
    {
        using var folder = new TempFolder();
        var tokenizer = new ByteTokenizer(marks);
        tokenizer.Save(folder.Path);
        Tokenizer back = Tokenizer.Load(folder.Path);
        Assert.That(back, Is.TypeOf<ByteTokenizer>());
        Assert.That((back.Vocab, back.Bos, back.Fingerprint), Is.EqualTo((tokenizer.Vocab, tokenizer.Bos, tokenizer.Fingerprint)));
    }

    [Test]
    public void TheFileHasHuggingFacesForm()
    {
        JsonNode root = JsonNode.Parse(Samples.Train(300, documentMarks: true).Serialize())!;
        Assert.Multiple(() =>
        {
            Assert.That((string)root["version"]!, Is.EqualTo("1.0"));
            Assert.That((string)root["model"]!["type"]!, Is.EqualTo("BPE"));
            Assert.That((int)root["model"]!["vocab"]!["Ġ"]!, Is.EqualTo(32));
            Assert.That(root["model"]!["vocab"]!.AsObject(), Has.Count.EqualTo(298));
            Assert.That(root["model"]!["merges"]!.AsArray(), Has.Count.EqualTo(42));
            Assert.That((string)root["pre_tokenizer"]!["type"]!, Is.EqualTo("ByteLevel"));
            Assert.That((bool)root["pre_tokenizer"]!["add_prefix_space"]!, Is.False);
            Assert.That((string)root["decoder"]!["type"]!, Is.EqualTo("ByteLevel"));
            Assert.That((int)root["added_tokens"]![1]!["id"]!, Is.EqualTo(299));
            Assert.That((string)root["added_tokens"]![1]!["content"]!, Is.EqualTo("<|eos|>"));
        });
    }

    [Test]
    public void ReadsAFileInGpt2sManner()
    {
        // Bytes in the order of their characters, merges as pairs, one special inside the vocabulary, a post-processor.
        JsonNode root = Gpt2Like();
        Tokenizer tokenizer = Load(root);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Vocab, Is.EqualTo(259));
            Assert.That((tokenizer.Bos, tokenizer.Eos), Is.EqualTo(((int?)258, (int?)258)));
            Assert.That(tokenizer.Encode("the"), Is.EqualTo(new[] { 257 }));
            Assert.That(tokenizer.Encode("th!"), Is.EqualTo(new[] { 256, 0 }));
            Assert.That(tokenizer.DecodeText([257, 258, 0]), Is.EqualTo("the!"));
        });
    }

    /// <summary>As OpenAI's file of 2019 was converted: no type in the model, all else as later.</summary>
    [Test]
    public void AModelWithoutATypeIsWhatItsFieldsShow()
    {
        JsonNode root = Gpt2Like();
        root["version"] = "1.0";
        root["truncation"] = null;
        root["padding"] = null;
        JsonObject model = root["model"]!.AsObject();
        Assert.That(model.Remove("type"), Is.True);
        model["dropout"] = null;
        model["unk_token"] = null;
        model["end_of_word_suffix"] = "";
        model["fuse_unk"] = false;
        Tokenizer tokenizer = Load(root);
        Assert.That((tokenizer.Vocab, tokenizer.Eos, tokenizer.Fingerprint), Is.EqualTo((259, (int?)258, Load(Gpt2Like()).Fingerprint)));

        model["max_input_chars_per_word"] = 100;
        Assert.That(Load(root).Vocab, Is.EqualTo(259), "merges say BPE");
        model.Remove("merges");
        AssertRefused(root, "model.unk_token '[UNK]' is not in model.vocab");
        model["unk_token"] = "A";
        Assert.That(Load(root).Name, Is.EqualTo("wordpiece"));
        model.Remove("max_input_chars_per_word");
        Assert.That(Load(root).Name, Is.EqualTo("wordlevel"));
        model["vocab"] = new JsonArray(new JsonArray("a", -1.5));
        Assert.That(Load(root).Name, Is.EqualTo("unigram"));
        model.Remove("vocab");
        AssertRefused(root, "model type 'none' is not supported");
        root.AsObject().Remove("model");
        AssertRefused(root, "has no \"model\", so it is not a tokenizer.json");
        AssertRefused(Gpt2Like()["model"]!["vocab"]!, "is a vocabulary without merges; a tokenizer.json has both");

        static void AssertRefused(JsonNode root, string message) => Assert.That(() => Load(root), Throws.TypeOf<UserException>().With.Message.Contains(message));
    }

    [Test]
    public void AStageOfASequenceIsNamed()
    {
        JsonNode root = Gpt2Like();
        root["pre_tokenizer"] = new JsonObject { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(new JsonObject { ["type"] = "Scissors" }, new JsonObject { ["type"] = "ByteLevel" }) };
        Assert.That(() => Load(root), Throws.TypeOf<UserException>().With.Message.EndsWith("pre_tokenizer 'Scissors' is not supported"));
    }

    [TestCase("#version: 0.2\nĠ t\n", "needs vocab.json beside it")]
    [TestCase("\n\u000e\n\u0005<unk>\u0015\0\0\0\0", "cannot be used as a tokenizer: ")]
    [TestCase("IQ== 0\nIg== 1\n", "lacks the byte 0, so it cannot write every text")]
    [TestCase("IQ== 0\nIg== x\n", "line 2 is not a token in base64 and its rank")]
    [TestCase("PK\u0003\u0004", "is a compressed file; unpack it")]
    public void WhatIsMissingInFilesOfOtherFormatsIsSaid(string content, string problem)
    {
        using var folder = new TempFolder();
        string path = folder.Write("tokenizer.json", content);
        Assert.That(() => Tokenizer.Load(path), Throws.TypeOf<UserException>().With.Message.StartsWith($"{path}: {problem}"));
    }

    [Test]
    public void WholePiecesComeBeforeMergesWhereTheFileSaysSo()
    {
        JsonNode root = Gpt2Like();
        root["model"]!["merges"] = new JsonArray("t h");
        Assert.That(Load(root).Encode("the"), Is.EqualTo(new[] { 256, (int)'e' - '!' }));
        root["model"]!["ignore_merges"] = true;
        Assert.That(Load(root).Encode("the"), Is.EqualTo(new[] { 257 }));
    }

    [Test]
    public void ASpecialAmongTheOtherIdsKeepsItsId()
    {
        using var folder = new TempFolder();
        JsonNode root = Gpt2Like();
        root["model"]!["vocab"]!["<|endoftext|>"] = 256;
        root["model"]!["vocab"]!["th"] = 258;
        root["added_tokens"]![0]!["id"] = 256;
        Tokenizer tokenizer = Load(root);
        tokenizer.Save(folder.Path);
        Assert.That(Tokenizer.Load(folder.Path).Eos, Is.EqualTo(256));
        Assert.That((int)JsonNode.Parse(tokenizer.Serialize())!["model"]!["vocab"]!["<|endoftext|>"]!, Is.EqualTo(256));
    }

    private static IEnumerable<TestCaseData> Unsupported()
    {
        yield return Case("model.type", "Grammar", "model type 'Grammar' is not supported");
        yield return Case("model.type", "Unigram", "vocab is no array");
        yield return Case("model.dropout", 0.1, "dropout");
        yield return Case("model.merges", 3, "merges is missing or no array");
        yield return Case("model.vocab", 3, "vocab is missing or no object");
        yield return Case("model.vocab.the", 300, "leaves a hole");
        yield return Case("model.vocab.the", 3, "used twice");
        yield return Case("model.vocab.the", -1, "whole number");
        yield return Case("model.vocab.the", 2_000_000_000, "leaves a hole");
        yield return Case("normalizer", new JsonObject { ["type"] = "Rot13" }, "normalizer 'Rot13' is not supported");
        yield return Case("normalizer", new JsonObject { ["type"] = "Precompiled", ["precompiled_charsmap"] = "AAAA" }, "rules of normalization are damaged");
        yield return Case("pre_tokenizer", new JsonObject { ["type"] = "Scissors" }, "pre_tokenizer 'Scissors' is not supported");
        yield return Case("pre_tokenizer", Split(@"(a)\1"), @"has '\1', which is not supported");
        yield return Case("pre_tokenizer", Split("(?>a|ab)c"), "has an atomic group (?>…), which is not supported");
        yield return Case("pre_tokenizer", Split("a(?=bc)"), "looks more than one character ahead, which is not supported");
        yield return Case("pre_tokenizer", Split("[a-"), "has a '[' without its ']'");
        yield return Case("pre_tokenizer", Split("a{2000}"), "repeats more than 1000 times");
        yield return Case("pre_tokenizer", Split("(a{1000}){1000}"), "needs more than 20000 steps");
        yield return Case("pre_tokenizer", Split(@"\p{Klingon}"), @"has the class \p{Klingon}, which is not supported");
        yield return Case("pre_tokenizer.add_prefix_space", "no", "neither true nor false");
        yield return Case("decoder", new JsonObject { ["type"] = "CTC" }, "decoder 'CTC' is not supported");
        yield return Case("post_processor", new JsonObject { ["type"] = "Footer" }, "post_processor 'Footer' is not supported");
        yield return Case("padding", new JsonObject { ["strategy"] = new JsonObject { ["Fixed"] = 2_000_000_000 } }, "is not supported");
        yield return Case("added_tokens", 3, "added_tokens is no array");

        static JsonObject Split(string pattern) => new() { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = pattern }, ["behavior"] = "Isolated" };

        static TestCaseData Case(string path, object? value, string message) =>
            new TestCaseData(path, value is null ? null : value as JsonNode ?? JsonValue.Create(value), message)
                .SetArgDisplayNames(path, message);
    }

    [TestCaseSource(nameof(Unsupported))]
    public void SaysWhatItDoesNotSupport(string path, JsonNode? value, string message)
    {
        JsonNode root = Gpt2Like();
        JsonNode owner = root;
        string[] keys = path.Split('.');
        foreach (string key in keys[..^1])
        {
            owner = owner[key]!;
        }

        owner[keys[^1]] = value?.DeepClone();
        Assert.That(
            () => Load(root),
            Throws.TypeOf<UserException>().With.Message.Contains(message).And.Message.Contains("tokenizer.json").And.Message.Not.Contains("\n"));
    }

    [Test]
    public void SaysWhatIsWrongWithMergesAndAddedTokens()
    {
        JsonNode root = Gpt2Like();
        root["model"]!["merges"]!.AsArray().Add("t x");
        Assert.That(() => Load(root), Throws.TypeOf<UserException>().With.Message.Contains("merges[2] 't x'"));
        root = Gpt2Like();
        root["model"]!["merges"]!.AsArray().Add("t h");
        Assert.That(() => Load(root), Throws.TypeOf<UserException>().With.Message.Contains("'t h' twice"));
        root = Gpt2Like();
        root["added_tokens"]!.AsArray().Add(new JsonObject { ["id"] = 258, ["content"] = "<|x|>", ["special"] = false });
        Assert.That(() => Load(root), Throws.TypeOf<UserException>().With.Message.Contains("the id 258 of '<|x|>' is used twice"));
    }

    [Test]
    public void AByteThatTheVocabularyLacksVanishes()
    {
        JsonNode root = Gpt2Like();
        root["model"]!["vocab"]!.AsObject().Remove("A");
        root["model"]!["vocab"]!.AsObject().Remove("ÿ");
        Tokenizer tokenizer = Load(root);
        Assert.That(tokenizer.Encode("!A!"), Is.EqualTo(new[] { 0, 0 }));
        Assert.That(tokenizer.Encode([0xFF, (byte)'!']), Is.EqualTo(tokenizer.Encode("\uFFFD!")), "what no text has stands as U+FFFD");
    }

    [Test]
    public void AMissingFileOrFolderIsOneLine()
    {
        using var folder = new TempFolder();
        Assert.That(() => Tokenizer.Load(folder.Path), Throws.TypeOf<UserException>().With.Message.Contains("no such tokenizer file"));
        Assert.That(() => Tokenizer.Load(folder.At("x.json")), Throws.TypeOf<UserException>());
        folder.Write("tokenizer.json", "");
        Assert.That(() => Tokenizer.Load(folder.Path), Throws.TypeOf<UserException>());
    }

    [Test]
    public void MutatedFilesNeverCrash() => Mutate(300, seed: 11);

    [Test]
    [Category("Long")]
    public void TenThousandMutatedFilesNeverCrash() => Mutate(10_000, seed: 12);

    private static void Mutate(int count, int seed)
    {
        using var folder = new TempFolder();
        byte[] original = Samples.Train(290, documentMarks: true).Serialize();
        var random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < count; i++)
        {
            byte[] mutated = Mutation.Of(original, random);
            folder.Write("tokenizer.json", mutated);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Tokenizer tokenizer = Tokenizer.Load(folder.Path);
                int[] ids = tokenizer.Encode(Samples.AllBytes.AsSpan());
                if (tokenizer is PipelineTokenizer)
                {
                    // Files of other programs may change a text.
                    Assert.That(ids.All(id => id >= 0 && id < tokenizer.Vocab));
                    tokenizer.DecodeText(ids);
                }
                else
                {
                    Assert.That(tokenizer.Decode(ids), Is.EqualTo(Samples.AllBytes));
                }
            }
            catch (UserException e)
            {
                refused++;
                Assert.That(e.Message, Does.Not.Contain('\n'));
            }

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(20_000_000));
        }

        Assert.That(refused, Is.GreaterThan(count / 4));
    }

    private static Tokenizer Load(JsonNode root)
    {
        using var folder = new TempFolder();
        folder.Write("tokenizer.json", root.ToJsonString());
        return Tokenizer.Load(folder.Path);
    }

    private static JsonObject Gpt2Like()
    {
        string[] symbols = [.. Enumerable.Range(0, 256).Select(value => ByteUnicode.CharOf((byte)value)).Order().Select(c => c.ToString())];
        var vocab = new JsonObject();
        foreach (string symbol in (string[])[.. symbols, "th", "the", "<|endoftext|>"])
        {
            vocab.Add(symbol, vocab.Count);
        }

        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(new JsonObject { ["id"] = 258, ["content"] = "<|endoftext|>", ["special"] = true }),
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false },
            ["post_processor"] = new JsonObject { ["type"] = "ByteLevel", ["trim_offsets"] = false },
            ["decoder"] = new JsonObject { ["type"] = "ByteLevel" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "",
                ["continuing_subword_prefix"] = "",
                ["vocab"] = vocab,
                ["merges"] = new JsonArray(new JsonArray("t", "h"), "th e"),
            },
        };
    }
}
