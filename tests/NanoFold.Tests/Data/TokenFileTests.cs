using System.Runtime.InteropServices;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Data;

/// <summary>Tokens that llm.c and nanoGPT wrote, in place of text.</summary>
public sealed class TokenFileTests
{
    private const int Bos = 256;

    private static readonly Tokenizer s_tokenizer = new ByteTokenizer(documentMarks: true);

    private TemporaryFolder _folder = null!;
    private TokenCache _cache = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = new TemporaryFolder();
        _cache = new TokenCache(_folder["cache"]);
    }

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase("nanoGPT")]
    [TestCase("llm.c 16")]
    [TestCase("llm.c 32")]
    public void TokensAreTakenAsTheyAreAndTheirEndValidates(string kind)
    {
        int[] tokens = [.. Enumerable.Range(0, 1000).Select(i => i % 100 == 0 ? Bos : i % 256)];
        using Corpus corpus = Corpus.Open(Write("a.bin", kind, tokens));
        using TokenDataset data = _cache.Open(corpus, TokenizerSpec.Given(s_tokenizer));
        Assert.That(Shards.All(data.Train), Is.EqualTo(tokens[..900]));
        Assert.That(Shards.All(data.Validation), Is.EqualTo(tokens[900..]));
        Assert.That((data.Train.Marked, data.Train.Documents, data.Train.DocumentStart(3), data.Validation.Documents), Is.EqualTo((true, 9, 300L, 1)));
        Assert.That((data.Train.TextBytes, data.Validation.TextBytes, data.HeldBack.ToString()), Is.EqualTo((891L, 99L, "the last 99 of 990 bytes are held back")));
        using TokenDataset again = _cache.Open(Corpus.Open(_folder["a.bin"]), TokenizerSpec.Given(s_tokenizer));
        Assert.That(again.FromCache, Is.True);
    }

    [Test]
    public void SeveralFilesAreOneRowAndValidationMayHaveItsOwn()
    {
        Write("train/1.bin", "llm.c 16", [Bos, 1, 2, 3]);
        Write("train/2.bin", "nanoGPT", [4, 5, Bos, 6, 0]);
        Write("validation.bin", "nanoGPT", [7, 8, 9, 0]);
        using Corpus corpus = Corpus.Open(_folder["train"]);
        using TokenDataset data = _cache.Open(corpus, TokenizerSpec.Given(s_tokenizer), new DataConfig { Validation = _folder["validation.bin"] });
        Assert.That(Shards.All(data.Train), Is.EqualTo(new[] { Bos, 1, 2, 3, 4, 5, Bos, 6, 0 }));
        Assert.That((data.Train.Documents, data.Train.DocumentStart(1)), Is.EqualTo((2, 6L)));
        Assert.That(Shards.All(data.Validation), Is.EqualTo(new[] { 7, 8, 9, 0 }));
        using TokenDataset cut = _cache.Open(Corpus.Open(_folder["train"]), TokenizerSpec.Given(s_tokenizer), new DataConfig { ValidationFraction = 0.6, Documents = DocumentMode.Join });
        Assert.That((Shards.All(cut.Train).Length, Shards.All(cut.Validation).Length, cut.Train.Marked, cut.Validation.Documents), Is.EqualTo((3, 6, false, 1)));
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        string path = Write("a.bin", "llm.c 16", [1, 2, 300]), text = _folder["a.txt"];
        File.WriteAllText(text, "text");
        AssertFault(path, TokenizerSpec.Given(s_tokenizer), null, $"{path}: token 300 at place 2 is none of the 258 of the tokenizer");
        AssertFault(path, TokenizerSpec.Byte, null, "is no text; as tokens of llm.c it needs their own tokenizer: name it with --set tokenizer=file");
        AssertFault(path, TokenizerSpec.Given(s_tokenizer), text, "text to train on and text to validate on must both be text, or both be tokens");
        AssertFault(text, TokenizerSpec.Given(s_tokenizer), path, "must both be text, or both be tokens");
        Assert.That(() => Corpus.Open(path).Documents, Throws.InstanceOf<UserException>().With.Message.EndsWith("holds tokens of llm.c, not text"));
        byte[] sound = File.ReadAllBytes(path);
        File.WriteAllBytes(path, sound[..^2]);
        AssertFault(path, TokenizerSpec.Given(s_tokenizer), null, $"is not a sound shard of llm.c: it has {sound.Length - 2} bytes, and claims 3 tokens of 2");
        File.WriteAllBytes(path, sound[..40]);
        AssertFault(path, TokenizerSpec.Given(s_tokenizer), null, "it has only 40 bytes");
        sound[4] = 2;
        File.WriteAllBytes(path, sound);
        AssertFault(path, TokenizerSpec.Given(s_tokenizer), null, "is a shard of llm.c of version 2; 1 is supported");
    }

    [Test]
    public void DamagedFilesAreClearFaults() => Damage(100);

    [Test]
    [Category("Long")]
    public void TenThousandDamagedFilesAreClearFaults() => Damage(10_000);

    private void Damage(int count)
    {
        byte[] sound = File.ReadAllBytes(Write("a.bin", "llm.c 16", [.. Enumerable.Range(0, 60)]));
        int read = Mutation.Try(
            _folder["a.bin"], count, (i, random) => i % 2 == 0 ? [.. Mutation.Of(sound[..16], random), .. sound[16..]] : Mutation.Of(sound, random), () =>
            {
                using Corpus corpus = Corpus.Open(_folder["a.bin"]);
                corpus.Tokens?[0].Read(0, corpus.Tokens[0].Count, 258, _ => { });
            });
        Assert.That(read, Is.LessThan(count));
    }

    private string Write(string name, string kind, int[] tokens)
    {
        string path = _folder[name];
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        bool isWide = kind == "llm.c 32";
        int[] head = new int[256];
        (head[0], head[1], head[2]) = isWide ? (20240801, 7, tokens.Length) : (20240520, 1, tokens.Length);
        byte[] body = isWide ? MemoryMarshal.AsBytes(tokens.AsSpan()).ToArray() : MemoryMarshal.AsBytes(Array.ConvertAll(tokens, token => (ushort)token).AsSpan()).ToArray();
        File.WriteAllBytes(path, kind == "nanoGPT" ? body : [.. MemoryMarshal.AsBytes(head.AsSpan()), .. body]);
        return path;
    }

    private void AssertFault(string path, TokenizerSpec spec, string? validation, string message)
    {
        Assert.That(
            () =>
            {
                using Corpus corpus = Corpus.Open(path);
                _cache.Open(corpus, spec, new DataConfig { Validation = validation }).Dispose();
            },
            Throws.InstanceOf<UserException>().With.Message.Contains(message));
    }
}
