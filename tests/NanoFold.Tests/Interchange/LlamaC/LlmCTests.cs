using System.Runtime.InteropServices;
using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Kernels;
using NanoFold.Tests.Interchange.Gguf;
using NanoFold.Tests.Text;

namespace NanoFold.Tests.Interchange.LlamaC;

/// <summary>Models of llm.c: small ones of seeded numbers.</summary>
public class LlmCTests
{
    private const int Width = 6, Layers = 2, Heads = 2, Vocab = 258, Rows = 384, Context = 5;

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase(3)]
    [TestCase(5)]
    public void TensorsLieWhereItSays(int version)
    {
        File.WriteAllBytes(_folder["m.bin"], Small(version));
        using ForeignModel model = ForeignModel.TryOpen(_folder["m.bin"])!;
        Assert.That((model.Format, model.Config.Width, model.Config.Hidden, model.Config.Layers, model.Config.Heads, model.Config.Vocab, model.Config.Context, model.Config.Tied), Is.EqualTo(("llm.c gpt2", Width, 4 * Width, Layers, Heads, Vocab, Context, true)));
        Assert.That(model.Weights.Find("model.norm.bias")!.Type, Is.EqualTo(version == 3 ? "F32" : "BF16"));
        AssertPart("model.embed_tokens.weight", "token_embd.weight", Rows * Width, 0);
        AssertPart("model.embed_positions.weight", "position_embd.weight", Context * Width, 0);
        AssertPart("model.layers.1.self_attn.q_proj.weight", "blk.1.attn_qkv.weight", 3 * Width * Width, 0);
        AssertPart("model.layers.1.self_attn.v_proj.weight", "blk.1.attn_qkv.weight", 3 * Width * Width, 2 * Width * Width);
        AssertPart("model.layers.0.self_attn.k_proj.bias", "blk.0.attn_qkv.bias", 3 * Width, Width);
        AssertPart("model.layers.1.self_attn.o_proj.weight", "blk.1.attn_output.weight", Width * Width, 0);
        AssertPart("model.layers.0.mlp.up_proj.weight", "blk.0.ffn_up.weight", 4 * Width * Width, 0);
        AssertPart("model.layers.1.mlp.down_proj.weight", "blk.1.ffn_down.weight", 4 * Width * Width, 0);
        AssertPart("model.layers.1.post_attention_layernorm.bias", "blk.1.ffn_norm.bias", Width, 0);
        AssertPart("model.norm.weight", "output_norm.weight", Width, 0);

        void AssertPart(string ours, string theirs, int count, int start)
        {
            float[] actual = new float[model.Weights.Find(ours)!.Count], all = Stored(theirs, count, version);
            model.Weights.Read(ours, actual);
            Assert.That(actual, Is.EqualTo(all[start..(start + actual.Length)]), ours);
        }
    }

    [Test]
    public void TheTokenizerBesideAModelIsItsOwn()
    {
        File.WriteAllBytes(_folder["m.bin"], Small(3));
        int[] head = new int[256];
        (head[0], head[1], head[2], head[3]) = (20240328, 2, Vocab, 257);
        byte[] tokens = [.. Enumerable.Range(0, 256).SelectMany(value => new byte[] { 1, (byte)value }), 2, (byte)'a', (byte)'b', 13, .. "<|endoftext|>"u8];
        File.WriteAllBytes(_folder["gpt2_tokenizer.bin"], [.. MemoryMarshal.AsBytes(head.AsSpan()), .. tokens]);
        using ForeignModel model = ForeignModel.TryOpen(_folder["m.bin"])!;
        Assert.That(model.Tokenizer!.Encode("abc"), Is.EqualTo(new[] { 256, 99 }));
        Assert.That((model.Tokenizer.Vocab, model.Tokenizer.Eos), Is.EqualTo((Vocab, 257)));
        File.WriteAllBytes(_folder["gpt2_tokenizer.bin"], [.. MemoryMarshal.AsBytes(head.AsSpan()), .. tokens[..^5]]);
        using ForeignModel cut = ForeignModel.TryOpen(_folder["m.bin"])!;
        Assert.That(() => cut.Tokenizer, Throws.InstanceOf<UserException>().With.Message.EndsWith("gpt2_tokenizer.bin: ends within token 257 of 258"));
    }

    [Test]
    public void WhatIsWrongIsNamed()
    {
        byte[] sound = Small(3);
        AssertFault(sound[..^2], $"is not a sound llm.c file: it has {sound.Length - 2} bytes where its sizes make {sound.Length}");
        AssertFault(sound[..100], "has only 100 bytes");
        AssertFault([.. sound[..4], 1, .. sound[5..]], "is an llm.c file of version 1; those that are supported: 3");
        AssertFault([.. sound[..20], 4, .. sound[21..]], "its sizes make no model");

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
        byte[] sound = Small(3);
        int read = Mutation.Try(
            _folder["m.bin"], count, (_, random) => [.. Mutation.Of(sound[..32], random), .. sound[32..]], () => ForeignModel.TryOpen(_folder["m.bin"])?.Dispose());
        Assert.That(read, Is.LessThan(count));
    }

    private static byte[] Small(int version)
    {
        int[] head = new int[256];
        int[] sizes = [20240326, version, Context, Vocab, Layers, Heads, Width, Rows];
        sizes.CopyTo(head, 0);
        List<byte> file = [.. MemoryMarshal.AsBytes(head.AsSpan())];
        foreach ((string name, int count) in new (string, int)[]
        {
            ("token_embd.weight", Rows * Width), ("position_embd.weight", Context * Width), ("blk.*.attn_norm.weight", Width), ("blk.*.attn_norm.bias", Width),
            ("blk.*.attn_qkv.weight", 3 * Width * Width), ("blk.*.attn_qkv.bias", 3 * Width), ("blk.*.attn_output.weight", Width * Width), ("blk.*.attn_output.bias", Width),
            ("blk.*.ffn_norm.weight", Width), ("blk.*.ffn_norm.bias", Width), ("blk.*.ffn_up.weight", 4 * Width * Width), ("blk.*.ffn_up.bias", 4 * Width),
            ("blk.*.ffn_down.weight", 4 * Width * Width), ("blk.*.ffn_down.bias", Width), ("output_norm.weight", Width), ("output_norm.bias", Width),
        })
        {
            for (int layer = 0; layer < (name.Contains('*', StringComparison.Ordinal) ? Layers : 1); layer++)
            {
                float[] values = GgufBuilder.Values(name.Replace("*", $"{layer}", StringComparison.Ordinal), [count]);
                file.AddRange(version == 3 ? MemoryMarshal.AsBytes(values.AsSpan()).ToArray() : MemoryMarshal.AsBytes(Array.ConvertAll(values, BFloat16.FromSingle).AsSpan()).ToArray());
            }
        }

        return [.. file];
    }

    private static float[] Stored(string name, int count, int version)
    {
        float[] values = GgufBuilder.Values(name, [count]);
        return version == 3 ? values : Array.ConvertAll(values, value => BitConverter.UInt32BitsToSingle((uint)BFloat16.FromSingle(value) << 16));
    }
}
