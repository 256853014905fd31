using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Interchange.Gguf;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Interchange.LlamaC;

/// <summary>Models of llama2.c: a real one, and small ones of seeded numbers.</summary>
public class Llama2CTests : EngineTests
{
    private const string Stories = "stories260K.bin";
    private const int Width = 8, Hidden = 6, Layers = 2, Heads = 2, KvHeads = 1, Vocab = 5, Context = 16;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void ARealModelTellsTheStoryThatItIsKnownFor()
    {
        using ForeignModel model = ForeignModel.TryOpen(SharedData.Path(Stories))!;
        Assert.That((model.Format, model.Config.Layers, model.Config.Vocab, model.Config.Tied, model.Tokenizer!.Vocab), Is.EqualTo(("llama2.c", 5, 512, true, 512)));
        using var read = new ForeignNumbers(model, Backend(threads: 2));
        Assert.That(model.Tokenizer.DecodeText(read.Greedy([1], 87)).Trim(), Does.StartWith(
            "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high."));
    }

    [TestCase(1)]
    [TestCase(4, Category = "Long")]
    public void ItsLogitsAndGreedyTokensAreThoseOfTransformers(int prompts)
    {
        using ForeignModel model = ForeignModel.TryOpen(SharedData.Path(Stories))!;
        using var read = new ForeignNumbers(model, Backend(threads: 2));
        using SafeTensorsFile expected = SafeTensorsFile.Open(SharedData.Path("peers/gguf/stories260K.expected.safetensors"));
        for (int i = 0; i < prompts; i++)
        {
            Assert.That(read.LogitsOff(ForeignNumbers.Integers(expected, $"p{i}.tokens"), SharedData.Reals(expected, $"p{i}.logits.f32")), Is.LessThan(2e-4), $"prompt {i}");
        }

        foreach (JsonObject line in File.ReadLines(SharedData.Path("peers/gguf/stories260K.greedy.jsonl")).Select(line => JsonNode.Parse(line)!.AsObject()).Where(line => (string)line["weights"]! == "f32").Take(prompts))
        {
            int[] prompt = [.. line["prompt_tokens"]!.AsArray().Select(token => (int)token!)];
            Assert.That(model.Tokenizer!.EncodePrompt((string)line["prompt"]!, specials: false), Is.EqualTo(prompt));
            Assert.That(read.Greedy(prompt, 200), Is.EqualTo(line["tokens"]!.AsArray().Select(token => (int)token!)), (string)line["prompt"]!);
        }
    }

    [TestCase(0, true)]
    [TestCase(0, false)]
    [TestCase(1, true)]
    [TestCase(1, false)]
    public void EachFormHasItsTensorsWhereItSays(int version, bool tied)
    {
        File.WriteAllBytes(_folder["m.bin"], Small(version, tied));
        using ForeignModel model = ForeignModel.TryOpen(_folder["m.bin"])!;
        Assert.That((model.Config.Width, model.Config.Hidden, model.Config.Layers, model.Config.Heads, model.Config.KvHeads, model.Config.Vocab, model.Config.Context, model.Config.Tied), Is.EqualTo((Width, Hidden, Layers, Heads, KvHeads, Vocab, Context, tied)));
        Assert.That(model.Tokenizer, Is.Null);
        AssertRows("model.embed_tokens.weight", "token_embd", [.. Enumerable.Range(0, Vocab)]);
        AssertRows("model.layers.1.self_attn.q_proj.weight", "blk.1.attn_q", [0, 2, 1, 3, 4, 6, 5, 7]);
        AssertRows("model.layers.0.self_attn.k_proj.weight", "blk.0.attn_k", [0, 2, 1, 3]);
        AssertRows("model.layers.1.self_attn.v_proj.weight", "blk.1.attn_v", [0, 1, 2, 3]);
        AssertRows("model.layers.1.mlp.up_proj.weight", "blk.1.ffn_up", [0, 1, 2, 3, 4, 5]);
        AssertRows("model.layers.1.post_attention_layernorm.weight", "blk.1.ffn_norm", [0]);
        AssertRows("model.norm.weight", "output_norm", [0]);
        if (!tied)
        {
            AssertRows("lm_head.weight", "output", [.. Enumerable.Range(0, Vocab)]);
        }

        void AssertRows(string ours, string theirs, int[] rows)
        {
            float[] actual = new float[model.Weights.Find(ours)!.Count], expected = GgufBuilder.Values(theirs, [actual.Length]);
            int row = actual.Length / rows.Length;
            model.Weights.Read(ours, actual);
            Assert.That(actual, Is.EqualTo(rows.SelectMany(r => expected[(r * row)..((r + 1) * row)])), ours);
        }
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        byte[] sound = Small(0, tied: true);
        AssertFault([.. sound, 0, 0, 0, 0], $"is not a sound llama2.c file: it has {sound.Length + 4} bytes where its sizes make {sound.Length}");
        AssertFault(sound[..^1], $"has {sound.Length - 1} bytes");
        AssertFault([.. "24ka"u8, 2, 0, 0, 0, .. new byte[300]], "is a llama2.c file of version 2 (8 bits), which is not supported");
        AssertFault([.. "24ka"u8, 1, 0, 0, 0, .. new byte[300]], "its sizes make no model");
        AssertFault("24ka"u8.ToArray(), "its sizes make no model");

        void AssertFault(byte[] bytes, string message)
        {
            File.WriteAllBytes(_folder["m.bin"], bytes);
            Assert.That(() => ForeignModel.TryOpen(_folder["m.bin"])?.Dispose(), Throws.InstanceOf<UserException>().With.Message.Contains(message).And.Message.StartWith(_folder["m.bin"]));
        }
    }

    [Test]
    public void DamagedFilesAreClearFaults() => Damage(100);

    [Test]
    [Category("Long")]
    public void TenThousandDamagedFilesAreClearFaults() => Damage(10_000);

    private void Damage(int count)
    {
        int read = Mutation.Try(_folder["m.bin"], count, Make, () =>
        {
            using ForeignModel? model = ForeignModel.TryOpen(_folder["m.bin"]);
            model?.Weights.Read("model.norm.weight", new float[model.Weights.Find("model.norm.weight")!.Count]);
        });
        Assert.That(read, Is.LessThan(count));

        static byte[] Make(int i, Random random)
        {
            byte[] sound = Small(i % 2, tied: i % 3 != 0);
            int head = i % 2 == 0 ? 28 : 40;
            return i % 5 == 0 ? Mutation.Of(sound, random) : [.. Mutation.Of(sound[..head], random), .. sound[head..]];
        }
    }

    internal static byte[] Small(int version, bool tied)
    {
        int[] sizes = [Width, Hidden, Layers, Heads, KvHeads, version == 0 && !tied ? -Vocab : Vocab, Context];
        List<byte> file = version == 0 ? [.. MemoryMarshal.AsBytes(sizes.AsSpan())] : [.. "24ka"u8, 1, 0, 0, 0, .. MemoryMarshal.AsBytes(sizes.AsSpan()), (byte)(tied ? 1 : 0)];
        if (version == 1)
        {
            file.AddRange(new byte[256 - file.Count]);
        }

        (string, int)[] attention = [("blk.*.attn_q", Width * Width), ("blk.*.attn_k", 4 * Width), ("blk.*.attn_v", 4 * Width), ("blk.*.attn_output", Width * Width)];
        (string, int)[] forward = [("blk.*.ffn_gate", Hidden * Width), ("blk.*.ffn_down", Width * Hidden), ("blk.*.ffn_up", Hidden * Width)];
        (string, int)[] all = version == 0
            ? [("token_embd", Vocab * Width), ("blk.*.attn_norm", Width), .. attention, ("blk.*.ffn_norm", Width), .. forward, ("output_norm", Width), ("tables", Context * 4)]
            : [("blk.*.attn_norm", Width), ("blk.*.ffn_norm", Width), ("output_norm", Width), ("token_embd", Vocab * Width), .. attention, .. forward];
        foreach ((string name, int count) in tied ? all : [.. all, ("output", Vocab * Width)])
        {
            for (int layer = 0; layer < (name.Contains('*', StringComparison.Ordinal) ? Layers : 1); layer++)
            {
                file.AddRange(MemoryMarshal.AsBytes(GgufBuilder.Values(name.Replace("*", $"{layer}", StringComparison.Ordinal), [count]).AsSpan()));
            }
        }

        return [.. file];
    }
}
