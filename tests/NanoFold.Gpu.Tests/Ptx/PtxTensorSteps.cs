using System.Runtime.InteropServices;
using NanoFold.Gpu.Tests.Ptx.Blocks;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>The instructions of a whole warp: ldmatrix, stmatrix and mma.</summary>
internal static class PtxTensorSteps
{
    /// <summary>How operands of products lie in a register.</summary>
    private interface IOperand
    {
        /// <summary>Elements of a register.</summary>
        static abstract int Pack { get; }

        static abstract float Read(uint bits, int part);
    }

    public static Action<PtxWarp> LoadMatrix(PtxMachine machine, Instruction i)
    {
        Arg[] results = i.Operands[0];
        Arg address = i.Operands[1][0];
        bool transpose = i.Parts.Contains("trans");
        return w =>
        {
            Whole(w);
            Span<int> rows = stackalloc int[8];
            ReadOnlySpan<byte> shared = machine.Shared;
            for (int m = 0; m < results.Length; m++)
            {
                Rows(machine, w, address, m, rows);
                foreach (int row in rows)
                {
                    Touch(machine, w, row, isWrite: false);
                }

                Span<ulong> values = w.Values(results[m].Register);
                for (int lane = 0; lane < values.Length; lane++)
                {
                    int g = lane / 4, t = lane % 4;
                    values[lane] = transpose
                        ? Element(shared, rows[2 * t], g) | (uint)Element(shared, rows[2 * t + 1], g) << 16
                        : MemoryMarshal.Read<uint>(shared[(rows[g] + 4 * t)..]);
                }
            }
        };
    }

    public static Action<PtxWarp> StoreMatrix(PtxMachine machine, Instruction i)
    {
        Arg address = i.Operands[0][0];
        Arg[] values = i.Operands[1];
        return w =>
        {
            Whole(w);
            Span<int> rows = stackalloc int[8];
            for (int m = 0; m < values.Length; m++)
            {
                Rows(machine, w, address, m, rows);
                for (int row = 0; row < rows.Length; row++)
                {
                    Touch(machine, w, rows[row], isWrite: true);
                    for (int t = 0; t < 4; t++)
                    {
                        BitConverter.TryWriteBytes(machine.Shared.AsSpan(rows[row] + 4 * t), (uint)w[values[m].Register, 4 * row + t]);
                    }
                }
            }
        };
    }

    /// <summary>mma.sync.aligned.m16n8k16.row.col.f32.T.T.f32 d, a, b, c</summary>
    public static Action<PtxWarp> Multiply(Instruction i) => i.Parts[7] switch
    {
        "tf32" => Multiply<TensorFloat>(i),
        "bf16" => Multiply<BFloatPair>(i),
        _ => Multiply<HalfPair>(i),
    };

    private static Action<PtxWarp> Multiply<T>(Instruction i)
        where T : IOperand
    {
        const int Rows = 16, Columns = 8, MostDepth = 16;
        Arg[] d = i.Operands[0], a = i.Operands[1], b = i.Operands[2], c = i.Operands[3];
        int depth = i.Parts[3] switch
        {
            "m16n8k8" => 8,
            "m16n8k16" => 16,
            _ => throw new NotSupportedException(i.Opcode),
        };
        return w =>
        {
            Whole(w);
            Span<double> left = stackalloc double[Rows * MostDepth], right = stackalloc double[MostDepth * Columns], sums = stackalloc double[Rows * Columns];
            for (int r = 0; r < a.Length; r++)
            {
                ReadOnlySpan<ulong> values = w.Values(a[r].Register);
                for (int lane = 0; lane < values.Length; lane++)
                {
                    int at = (lane / 4 + 8 * (r & 1)) * depth + T.Pack * (lane % 4) + 4 * T.Pack * (r >> 1);
                    for (int part = 0; part < T.Pack; part++)
                    {
                        left[at + part] = T.Read((uint)values[lane], part);
                    }
                }
            }

            for (int r = 0; r < b.Length; r++)
            {
                ReadOnlySpan<ulong> values = w.Values(b[r].Register);
                for (int lane = 0; lane < values.Length; lane++)
                {
                    for (int part = 0; part < T.Pack; part++)
                    {
                        right[(T.Pack * (lane % 4) + part + 4 * T.Pack * r) * Columns + lane / 4] = T.Read((uint)values[lane], part);
                    }
                }
            }

            for (int r = 0; r < c.Length; r++)
            {
                ReadOnlySpan<ulong> values = w.Values(c[r].Register);
                for (int lane = 0; lane < values.Length; lane++)
                {
                    sums[(lane / 4 + 8 * (r >> 1)) * Columns + 2 * (lane % 4) + (r & 1)] = PtxFormulas.Float(values[lane]);
                }
            }

            PtxProducts.Add(left, right, sums, Columns, depth);
            for (int r = 0; r < d.Length; r++)
            {
                Span<ulong> values = w.Values(d[r].Register);
                for (int lane = 0; lane < values.Length; lane++)
                {
                    values[lane] = PtxFormulas.Bits((float)sums[(lane / 4 + 8 * (r >> 1)) * Columns + 2 * (lane % 4) + (r & 1)]);
                }
            }
        };
    }

    /// <summary>Places of the eight rows of a matrix, in shared memory.</summary>
    private static void Rows(PtxMachine machine, PtxWarp w, Arg address, int matrix, Span<int> rows)
    {
        ReadOnlySpan<ulong> addresses = w.Values(address.Register)[(8 * matrix)..];
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row] = machine.SharedAt(addresses[row] + (ulong)address.Number, 16);
        }

        PtxBanks.Count(machine, rows, 16);
    }

    private static void Touch(PtxMachine machine, PtxWarp w, int at, bool isWrite)
    {
        machine.Async.Shared.Generic(w, at, 16, isWrite);
        machine.Races?.Shared(w, Races.AllLanes, at, 16, isWrite);
    }

    private static ushort Element(ReadOnlySpan<byte> shared, int row, int column) => MemoryMarshal.Read<ushort>(shared[(row + 2 * column)..]);

    internal static void Whole(PtxWarp w)
    {
        if (w.Active != uint.MaxValue)
        {
            throw new InvalidOperationException("a warp's instruction without some lanes");
        }
    }

    private readonly struct TensorFloat : IOperand
    {
        public static int Pack => 1;

        public static float Read(uint bits, int part) => PtxFormulas.Float(bits & 0xffffe000);
    }

    private readonly struct BFloatPair : IOperand
    {
        public static int Pack => 2;

        public static float Read(uint bits, int part) => PtxFormulas.Float(bits >> 16 * part << 16);
    }

    private readonly struct HalfPair : IOperand
    {
        public static int Pack => 2;

        public static float Read(uint bits, int part) => (float)BitConverter.UInt16BitsToHalf((ushort)(bits >> 16 * part));
    }
}
