using System.Runtime.InteropServices;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Cpu.Stored;

/// <summary>Weights in types of files: products and look-ups have the bits of those with the same values as floats.</summary>
public class StoredProductTests
{
    private static readonly DType[] s_types = [DType.BFloat16, DType.Float16, DType.Q8_0, DType.Q4_0, DType.Q4_1];
    private static readonly Isa[] s_paths = [Isa.Vector512, Isa.Vector256, Isa.Vector128, Isa.Scalar];

    // One row to three are widened in registers, more of them column by column, many strip by strip.
    private static readonly (int Rows, int Depth, int Columns)[] s_shapes = [(1, 288, 70), (2, 32, 5), (3, 160, 33), (1, 64, 2), (7, 160, 34), (13, 160, 17), (5, 96, 21), (25, 352, 67), (64, 576, 96)];

    [Test]
    public void ProductsHaveTheBitsOfWidenedWeights([ValueSource(nameof(s_paths))] Isa path, [ValueSource(nameof(s_types))] DType type)
    {
        using var backend = new CpuBackend(2, path);
        foreach ((int rows, int depth, int columns) in s_shapes)
        {
            // Rows of 16 bits need not be whole blocks.
            int k = type.IsBlocks() ? depth : depth + (columns % 3);
            using var x = new Some(backend, new Random(rows), rows * k);
            using var weights = new Weights(backend, type, columns, k, seed: columns);
            using var added = new Some(backend, new Random(2), (rows + 1) * columns);
            using DeviceBuffer first = backend.Allocate(rows * columns * sizeof(float)), second = backend.Allocate(rows * columns * sizeof(float));
            float[] Product(in View b, DeviceBuffer y)
            {
                View result = View(y, rows, columns);
                backend.MatMul(new MatMulArgs
                {
                    A = x.As(rows, k), B = b, TransposeB = true, Y = result, Alpha = 0.75, Bias = added.As(columns), Residual = View(added.Buffer, rows, columns).With(Layout.Of(rows, columns), columns),
                });
                return Read(backend, result);
            }

            Assert.That(Product(weights.Stored, first), Is.EqualTo(Product(weights.Wide, second)), $"{type} [{rows}, {k}] x [{columns}, {k}]");
        }
    }

    [TestCaseSource(nameof(s_types))]
    public void PartsBatchesGroupsAndRowsAreThoseOfWidenedWeights(DType type)
    {
        using var backend = new CpuBackend(2);
        const int Groups = 3, K = 64, N = 6, Rows = 9;
        using var weights = new Weights(backend, type, Groups * N, K, seed: 1);
        using var x = new Some(backend, new Random(3), Groups * Rows * K);
        View Part(in View all, bool three) => three ? all.With(all.Layout.Reshape(Groups, N, K)) : all;
        float[] Of(View all)
        {
            using DeviceBuffer y = backend.Allocate(Groups * Rows * N * sizeof(float)), offsets = backend.Allocate(4 * sizeof(int)), ids = backend.Allocate(4 * sizeof(int)), rows = backend.Allocate(4 * K * sizeof(float)), part = backend.Allocate(Rows * 4 * sizeof(float)), whole = backend.Allocate(Groups * N * K * sizeof(float));
            View three = View(y, Groups, Rows, N), starts = new(offsets, 0, Layout.Of(4), DType.Int32), chosen = new(ids, 0, Layout.Of(4), DType.Int32);
            backend.MatMul(new MatMulArgs { A = x.As(Groups, Rows, K), B = Part(all, true), TransposeB = true, Y = three });
            float[] batched = Read(backend, three);
            backend.Upload<int>([0, 2, 2, 26], starts);
            View flat = View(y, Groups * Rows, N);
            backend.Fill(flat, 0);
            backend.GroupedMatMul(new GroupedMatMulArgs { A = x.As(Groups * Rows, K), B = Part(all, true), Y = flat, Offsets = starts, TransposeB = true });
            Layout fourRows = all.Layout.Slice(0, 3, 4, out long offset);
            backend.MatMul(new MatMulArgs { A = x.As(Rows, K), B = all.With(fourRows, offset), TransposeB = true, Y = View(part, Rows, 4) });
            backend.Upload<int>([5, -1, 17, 0], chosen);
            backend.Gather(all, chosen, View(rows, 4, K));
            backend.Copy(all, View(whole, Groups * N, K));
            return [.. batched, .. Read(backend, flat), .. Read(backend, View(part, Rows, 4)), .. Read(backend, View(rows, 4, K)), .. Read(backend, View(whole, Groups * N, K))];
        }

        Assert.That(Of(weights.Stored), Is.EqualTo(Of(weights.Wide)));
    }

    [Test]
    public void HalvesAreWidenedExactly()
    {
        ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i).Where(i => Half.IsFinite(BitConverter.UInt16BitsToHalf(i)))];
        float[] found = new float[bits.Length];
        StoredValues.Widen(DType.Float16, MemoryMarshal.AsBytes<ushort>(bits), found);
        Assert.That(Array.ConvertAll(found, BitConverter.SingleToInt32Bits), Is.EqualTo(Array.ConvertAll(bits, i => BitConverter.SingleToInt32Bits((float)BitConverter.UInt16BitsToHalf(i)))));
        StoredValues.Widen(DType.BFloat16, MemoryMarshal.AsBytes<ushort>(bits), found);
        Assert.That(found, Is.EqualTo(Array.ConvertAll(bits, BFloat16.ToSingle)));
    }

    [Test]
    public void BlocksAreRoundedAsGgmlRoundsThem()
    {
        // The largest is 127 d; −0.5 d goes away from 0; a block of zeros has a scale of 0.
        float[] values = new float[64];
        (values[0], values[3], values[31]) = (127 * 0.25f, -0.125f, -31.75f);
        byte[] blocks = new byte[68];
        Assert.That(StoredValues.TryNarrow(DType.Q8_0, values, blocks));
        Assert.That(((sbyte)blocks[2], (sbyte)blocks[5], (sbyte)blocks[33]), Is.EqualTo(((sbyte)127, (sbyte)-1, (sbyte)-127)));
        float[] back = new float[64];
        StoredValues.Widen(DType.Q8_0, blocks, back);
        Assert.That((back[0], back[3], back[31], back[32..].Max()), Is.EqualTo((31.75f, -0.25f, -31.75f, 0f)));
        Assert.That(StoredValues.TryNarrow(DType.Float16, [70000f], new byte[2]), Is.False);
        Assert.That(StoredValues.TryNarrow(DType.BFloat16, [70000f], new byte[2]));
    }

    [TestCaseSource(nameof(s_types))]
    public void WhatIsNotFiniteIsFound(DType type)
    {
        byte[] bytes = new byte[type.Bytes(96)];
        Assert.That(StoredValues.AreFinite(type, bytes));
        int last = type.IsBlocks() ? bytes.Length - type.BlockBytes() : bytes.Length - 2;
        (bytes[last], bytes[last + 1]) = (0x80, 0x7F);
        Assert.That(StoredValues.AreFinite(type, bytes), Is.False);
        if (type.IsBlocks())
        {
            // The largest scale there is, before codes that are no numbers; of Q4_1 a second scale follows the first.
            (bytes[last], bytes[last + 1]) = (0xFF, 0xFB);
            bytes.AsSpan(last + 2).Fill(0xFF);
            Assert.That(StoredValues.AreFinite(type, bytes), Is.EqualTo(type != DType.Q4_1));
            bytes[last + 3] = 0xFB;
            Assert.That(StoredValues.AreFinite(type, bytes));
        }
    }

    [Test]
    public void OtherUsesAreRefused()
    {
        using var backend = new CpuBackend(1);
        using var weights = new Weights(backend, DType.Q8_0, 4, 32, seed: 1);
        using var x = new Some(backend, new Random(1), 4 * 32);
        using DeviceBuffer y = backend.Allocate(32 * 32 * sizeof(float));
        View stored = weights.Stored;
        Assert.That(() => backend.MatMul(new MatMulArgs { A = x.As(4, 4), B = stored, Y = View(y, 4, 32) }), Throws.ArgumentException.With.Message.Contains("b is Q8_0[4, 32]"));
        Assert.That(() => backend.Copy(stored, View(y, 8, 16)), Throws.ArgumentException);
        Assert.That(() => backend.Sum(stored, View(y, 4, 1)), Throws.ArgumentException);
        Assert.That(() => backend.MatMul(new MatMulArgs { A = x.As(8, 16), B = stored.With(stored.Layout.Slice(1, 0, 16, out _)), TransposeB = true, Y = View(y, 8, 4) }), Throws.ArgumentException.With.Message.Contains("blocks"));
        Assert.That(() => backend.MatMul(new MatMulArgs { A = x.As(4, 32), B = new View(stored.Buffer, 0, Layout.Of(5, 32), DType.Q8_0), TransposeB = true, Y = View(y, 4, 5) }), Throws.ArgumentException.With.Message.Contains("136 bytes"));
    }

    private static View View(DeviceBuffer buffer, params int[] shape) => new(buffer, 0, Layout.Of(shape), DType.Float32);

    private static float[] Read(Backend backend, in View view)
    {
        float[] values = new float[view.Count];
        backend.Download(view, values.AsSpan());
        return values;
    }
}
