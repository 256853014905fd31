using System.Runtime.InteropServices;
using NanoFold.Gpu.Tests.Ptx.Blocks;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>The instructions of a whole warp: ldmatrix, stmatrix and mma.</summary>
internal static class PtxTensorSteps
{
    public static Action<PtxWarp> LoadMatrix(PtxMachine machine, Instruction i)
    {
        Arg[] results = i.Operands[0];
        Arg address = i.Operands[1][0];
        bool transpose = i.Parts.Contains("trans");
        return w =>
        {
            Whole(w);
            for (int m = 0; m < results.Length; m++)
            {
                var rows = new List<int>(8);
                for (int row = 0; row < 8; row++)
                {
                    rows.Add(machine.SharedAt(w[address.Register, 8 * m + row] + (ulong)address.Number, 16));
                }

                PtxBanks.Count(machine, rows, 16);
                rows.ForEach(at => Read(machine, w, at));
                for (int lane = 0; lane < 32; lane++)
                {
                    int g = lane / 4, t = lane % 4;
                    w[results[m].Register, lane] = transpose
                        ? Element(machine, rows[2 * t], g) | (uint)Element(machine, rows[2 * t + 1], g) << 16
                        : MemoryMarshal.Read<uint>(machine.Shared.AsSpan(rows[g] + 4 * t));
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
            for (int m = 0; m < values.Length; m++)
            {
                var rows = new List<int>(8);
                for (int row = 0; row < 8; row++)
                {
                    int at = machine.SharedAt(w[address.Register, 8 * m + row] + (ulong)address.Number, 16);
                    machine.Async.Shared.Generic(w, at, 16, isWrite: true);
                    machine.Races?.Shared(w, Races.AllLanes, at, 16, isWrite: true);
                    rows.Add(at);
                    for (int t = 0; t < 4; t++)
                    {
                        BitConverter.TryWriteBytes(machine.Shared.AsSpan(at + 4 * t), (uint)w[values[m].Register, 4 * row + t]);
                    }
                }

                PtxBanks.Count(machine, rows, 16);
            }
        };
    }

    public static Action<PtxWarp> Multiply(Instruction i)
    {
        // mma.sync.aligned.m16n8k16.row.col.f32.T.T.f32 d, a, b, c
        Arg[] d = i.Operands[0], a = i.Operands[1], b = i.Operands[2], c = i.Operands[3];
        string type = i.Parts[7];
        int pack = type == "tf32" ? 1 : 2, depth = i.Parts[3] switch
        {
            "m16n8k8" => 8,
            "m16n8k16" => 16,
            _ => throw new NotSupportedException(i.Opcode),
        };
        Func<uint, int, float> read = type switch
        {
            "tf32" => (bits, _) => PtxFormulas.Float(bits & 0xffffe000),
            "bf16" => (bits, part) => PtxFormulas.Float(bits >> 16 * part << 16),
            _ => (bits, part) => (float)BitConverter.UInt16BitsToHalf((ushort)(bits >> 16 * part)),
        };
        return w =>
        {
            Whole(w);
            var left = new float[16, depth];
            var right = new float[depth, 8];
            for (int lane = 0; lane < 32; lane++)
            {
                int g = lane / 4, t = lane % 4;
                for (int part = 0; part < pack; part++)
                {
                    for (int r = 0; r < a.Length; r++)
                    {
                        left[g + 8 * (r & 1), pack * t + part + 4 * pack * (r >> 1)] = read((uint)w[a[r].Register, lane], part);
                    }

                    for (int r = 0; r < b.Length; r++)
                    {
                        right[pack * t + part + 4 * pack * r, g] = read((uint)w[b[r].Register, lane], part);
                    }
                }
            }

            for (int lane = 0; lane < 32; lane++)
            {
                for (int r = 0; r < 4; r++)
                {
                    int row = lane / 4 + 8 * (r >> 1), column = 2 * (lane % 4) + (r & 1);
                    double sum = PtxFormulas.Float(w[c[r].Register, lane]);
                    for (int k = 0; k < depth; k++)
                    {
                        sum += (double)left[row, k] * right[k, column];
                    }

                    w[d[r].Register, lane] = PtxFormulas.Bits((float)sum);
                }
            }
        };
    }

    private static void Read(PtxMachine machine, PtxWarp w, int at)
    {
        machine.Async.Shared.Generic(w, at, 16, isWrite: false);
        machine.Races?.Shared(w, Races.AllLanes, at, 16, isWrite: false);
    }

    private static ushort Element(PtxMachine machine, int row, int column) => MemoryMarshal.Read<ushort>(machine.Shared.AsSpan(row + 2 * column));

    internal static void Whole(PtxWarp w)
    {
        if (w.Active != uint.MaxValue)
        {
            throw new InvalidOperationException("a warp's instruction without some lanes");
        }
    }
}
