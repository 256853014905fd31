using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>A cache of 16 bits gives the bits that one of single precision gives in which the same rounded keys and values lie.</summary>
[Parallelizable]
public sealed unsafe class RoundedCacheTests
{
    private const int Batch = 2, KeyHeads = 2;

    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    [Test]
    public void ItIsThatOfRoundedKeysAndValues([ValueSource(nameof(s_paths))] Isa isa, [Values(DType.BFloat16, DType.Float16)] DType type, [Values(1, 2, 7, 40)] int tokens)
    {
        foreach (int group in new[] { 1, 3 })
        {
            foreach ((int depth, int valueDepth) in new[] { (1, 1), (11, 13), (64, 64), (72, 40) })
            {
                foreach ((int keys, int window) in new[] { (tokens, 0), (97 + tokens, 0), (300, 0), (300, 90) })
                {
                    Verify(isa, type, tokens, group, depth, valueDepth, keys, window, hasValues: true);
                }
            }

            Verify(isa, type, tokens, group, 40, 24, 70, window: 0, hasValues: false);
        }
    }

    [Test]
    public void WhatIsTooLargeForHalfPrecisionStaysANumber()
    {
        float[] y = Run(Isa.Vector256, DType.Float16, 1, 1, 16, 16, 9, 0, hasValues: true, random => (float)(random.NextDouble() - 0.5) * 1e6f).Y;
        Assert.That(y, Has.All.Matches<float>(float.IsFinite));
    }

    [Test]
    public void BlocksAreNotForIt()
    {
        using var context = new CpuContext(1, IsaExtensions.Best);
        using var attention = new CpuCachedAttention(context);
        using NativeBuffer floats = new(1 << 16), ints = new(1 << 16);
        View Floats(DType type, params int[] shape) => new(floats, 0, Layout.Of(shape), type);
        View Ints(params int[] shape) => new(ints, 0, Layout.Of(shape), DType.Int32);
        var blocks = new BlockTable { Lists = Ints(1, 1, 1, 2), Counts = Ints(1, 1, 1), QuerySize = 1, KeySize = 4 };
        Assert.That(
            () => attention.Run(new CachedAttentionCall
            {
                Q = Floats(DType.Float32, 1, 1, 1, 8), K = Floats(DType.Float32, 1, 1, 1, 8), V = Floats(DType.Float32, 1, 1, 1, 8), Y = Floats(DType.Float32, 1, 1, 1, 8),
                KeyCache = Floats(DType.BFloat16, 1, 8, 1, 8), ValueCache = Floats(DType.BFloat16, 1, 8, 1, 8), Positions = Ints(1), Counts = Ints(1),
                Scale = 1, Visible = Visible.Causal with { Blocks = blocks },
            }),
            Throws.ArgumentException.With.Message.Contains("a cache of Float32"));
    }

    private static void Verify(Isa isa, DType type, int tokens, int group, int depth, int valueDepth, int keys, int window, bool hasValues)
    {
        Func<Random, float> draw = random => (float)((random.NextDouble() * 2) - 1);
        (float[] expected, float[] cached) = Run(isa, null, tokens, group, depth, valueDepth, keys, window, hasValues, draw, type);
        (float[] y, float[] kept) = Run(isa, type, tokens, group, depth, valueDepth, keys, window, hasValues, draw, type);
        string what = $"{isa}, {type}, {tokens} tokens, groups of {group}, {depth}, {valueDepth}, {keys} keys, window {window}";
        AssertSame(kept, cached, $"{what}: what is kept");
        AssertSame(y, expected, what);
    }

    private static void AssertSame(ReadOnlySpan<float> values, ReadOnlySpan<float> expected, string what)
    {
        int same = values.CommonPrefixLength(expected);
        if (same < Math.Max(values.Length, expected.Length))
        {
            Assert.Fail($"{what}: element {same} is {values[same]}, expected {expected[same]}");
        }
    }

    // With a cache of a type; or with one of single precision, and all that comes to it rounded before.
    private static (float[] Y, float[] Kept) Run(
        Isa isa, DType? type, int tokens, int group, int depth, int valueDepth, int keys, int window, bool hasValues, Func<Random, float> draw, DType rounding = DType.Float16)
    {
        int capacity = keys + 3, heads = group * KeyHeads;
        var random = new Random(5);
        var all = new List<NativeBuffer>();
        View Tensor(bool rounds, DType of, params int[] shape)
        {
            Layout layout = Layout.Of(shape);
            float[] values = [.. Enumerable.Range(0, (int)layout.Count).Select(_ => draw(random))];
            byte[] narrow = new byte[2 * values.Length];
            StoredValues.TryNarrow(rounding, values, narrow);
            if (rounds)
            {
                StoredValues.Widen(rounding, narrow, values);
            }

            var buffer = new NativeBuffer(of.Bytes(layout.Count));
            all.Add(buffer);
            if (of.Is16Bit())
            {
                narrow.CopyTo(buffer.Span<byte>());
            }
            else
            {
                values.CopyTo(buffer.Span<float>());
            }

            return new View(buffer, 0, layout, of);
        }

        View Row(params int[] values)
        {
            var buffer = new NativeBuffer(values.Length * sizeof(int));
            all.Add(buffer);
            values.CopyTo(buffer.Span<int>());
            return new View(buffer, 0, Layout.Of(values.Length), DType.Int32);
        }

        try
        {
            DType kept = type ?? DType.Float32;
            bool rounds = type is null;
            var call = new CachedAttentionCall
            {
                Q = Tensor(false, DType.Float32, Batch, tokens, heads, depth),
                K = Tensor(rounds, DType.Float32, Batch, tokens, KeyHeads, depth),
                V = hasValues ? Tensor(rounds, DType.Float32, Batch, tokens, KeyHeads, valueDepth) : default,
                Y = Tensor(false, DType.Float32, Batch, tokens, heads, valueDepth),
                KeyCache = Tensor(rounds, kept, Batch, capacity, KeyHeads, depth),
                ValueCache = hasValues ? Tensor(rounds, kept, Batch, capacity, KeyHeads, valueDepth) : default,
                Positions = Row(keys - tokens, 0),
                Counts = Row(tokens, tokens),
                Scale = 0.3,
                Visible = Visible.Causal with { Window = window },
            };
            using var context = new CpuContext(2, isa);
            using var attention = new CpuCachedAttention(context);
            attention.Run(call);
            return (Floats(call.Y), [.. Floats(call.KeyCache), .. hasValues ? Floats(call.ValueCache) : []]);
        }
        finally
        {
            all.ForEach(buffer => buffer.Dispose());
        }
    }

    private static float[] Floats(View view)
    {
        var values = new float[view.Count];
        if (view.Type.Is16Bit())
        {
            StoredValues.Widen(view.Type, new ReadOnlySpan<byte>(view.Address, (int)view.Type.Bytes(view.Count)), values);
        }
        else
        {
            new ReadOnlySpan<float>(view.Address, values.Length).CopyTo(values);
        }

        return values;
    }
}
