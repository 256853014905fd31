using NanoFold.Engine.Interchange;
using NanoFold.Engine.Interchange.Gguf;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>What a GGUF file says, as one of our models.</summary>
public class GgufFileTests : EngineTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void MetadataBecomeAConfigurationAndTokensATokenizer()
    {
        using ForeignModel model = ForeignModel.TryOpen(GgufBuilder.Llama().Save(_folder["model.gguf"]))!;
        Assert.That((model.Format, model.Config.Layers, model.Config.Width, model.Config.Heads, model.Config.KvHeads, model.Config.HeadDim, model.Config.Vocab), Is.EqualTo(("GGUF llama", 1, 8, 2, 1, 4, 258)));
        Assert.That((model.Config.Hidden, model.Config.Context, model.Config.NormEpsilon, model.Config.RopeBase, model.Config.Tied), Is.EqualTo((12, 32, 1e-5, 500.0, false)));
        Assert.That(model.Ignored, Is.Empty);
        Assert.That(model.Tokenizer!.Encode("abba <|end|>"), Is.EqualTo(new[] { 256, 98, 97, 32, 60, 124, 101, 110, 100, 124, 62 }));
        Assert.That(model.Tokenizer.EncodePrompt("abba<|end|>"), Is.EqualTo(new[] { 256, 98, 97, 257 }));
        Assert.That(model.Tokenizer.Eos, Is.EqualTo(257));
    }

    /// <summary>Rows 2j and 2j + 1 of a head here are rows j and j + D/2 of ours.</summary>
    [Test]
    public void RowsOfQueriesAndKeysAreOrderedAsOursAreTurned()
    {
        using ForeignModel model = ForeignModel.TryOpen(GgufBuilder.Llama().Save(_folder["model.gguf"]))!;
        AssertRows("model.layers.0.self_attn.q_proj.weight", "blk.0.attn_q.weight", [0, 2, 1, 3, 4, 6, 5, 7]);
        AssertRows("model.layers.0.self_attn.k_proj.weight", "blk.0.attn_k.weight", [0, 2, 1, 3]);
        AssertRows("model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", [0, 1, 2, 3]);

        void AssertRows(string ours, string theirs, int[] rows)
        {
            float[] actual = new float[rows.Length * 8], expected = GgufBuilder.Values(theirs, [rows.Length, 8]);
            model.Weights.Read(ours, actual);
            Assert.That(actual, Is.EqualTo(rows.SelectMany(row => expected[(row * 8)..((row + 1) * 8)])), ours);
        }
    }

    /// <summary>A part of a tensor may begin and end within blocks, and reach over several pieces.</summary>
    [Test]
    public void PartsOfTensorsAreReadWhereverTheyBegin()
    {
        var random = new Random(3);
        byte[] blocks = new byte[18 * 4096];
        for (int i = 0; i < 4096; i++)
        {
            random.NextBytes(blocks.AsSpan(i * 18, 18));
            BitConverter.TryWriteBytes(blocks.AsSpan(i * 18), (Half)random.NextSingle());
        }

        string path = new GgufBuilder().Text("general.architecture", "llama").Tensor("x", [2, 65536], 2, blocks).Save(_folder["x.gguf"]);
        using GgufFile file = GgufFile.Open(path);
        float[] all = new float[131072];
        file.Read("x", 0, all);
        foreach ((int start, int count) in new[] { (0, 1), (31, 2), (5, 20), (1000, 100_000), (131071, 1), (64, 64), (0, 0) })
        {
            float[] part = new float[count];
            file.Read("x", start, part);
            Assert.That(part, Is.EqualTo(all[start..(start + count)]), $"{start}, {count}");
        }
    }

    [Test]
    public void TheVersionBeforeIsReadAlike()
    {
        byte[] bytes = GgufBuilder.Llama().ToBytes();
        bytes[4] = 2;
        File.WriteAllBytes(_folder["model.gguf"], bytes);
        using ForeignModel model = ForeignModel.TryOpen(_folder["model.gguf"])!;
        Assert.That(model.Config.Vocab, Is.EqualTo(258));
    }

    [Test]
    public void UnknownKeysThatCannotChangeTheNumbersAreListed()
    {
        string path = GgufBuilder.Llama().Number("llama.tomorrow", 3u).Number("llama.expert_count", 0u).Number("llama.rope.scaling.attn_factor", 1f).Save(_folder["model.gguf"]);
        using ForeignModel model = ForeignModel.TryOpen(path)!;
        Assert.That(model.Ignored, Is.EqualTo(new[] { "llama.tomorrow = 3", "llama.rope.scaling.attn_factor = 1" }));
    }
}
