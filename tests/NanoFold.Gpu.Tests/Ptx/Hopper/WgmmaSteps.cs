using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>wgmma: a warp computes its 16 of the 64 rows, in the background.</summary>
internal static class WgmmaSteps
{
    // Of a warp, and of one instruction.
    private const int Rows = 16, Depth = 16;

    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i) => i.Parts[1] switch
    {
        "fence" => w => Fence(machine, w),
        "commit_group" => w => w.Sums.Groups.Add([]),
        "wait_group" => w => Wait(w, (int)i.Operands[0][0].Number),
        "mma_async" => Multiply(machine, i),
        _ => throw new NotSupportedException(i.Opcode),
    };

    private static void Fence(PtxMachine machine, PtxWarp w)
    {
        PtxTensorSteps.Whole(w);
        foreach (int register in machine.Sums.All)
        {
            w.Sums.Fenced[register] = true;
        }
    }

    private static void Wait(PtxWarp w, int pending)
    {
        PtxTensorSteps.Whole(w);
        List<List<(AsyncWork Work, Action Release)>> groups = w.Sums.Groups;
        while (groups.Count - 1 > pending)
        {
            foreach ((AsyncWork work, Action release) in groups[0])
            {
                work.Complete();
                release();
            }

            groups.RemoveAt(0);
        }
    }

    private static Action<PtxWarp> Multiply(PtxMachine machine, Instruction i)
    {
        // wgmma.mma_async.sync.aligned.m64nNk16.f32.T.T sums, a, b, adds, 1, 1, a is MN-major (not of registers), b is
        int n = int.Parse(i.Parts[4]["m64n".Length..^"k16".Length], CultureInfo.InvariantCulture);
        Arg[] sums = i.Operands[0];
        Arg[] left = WgmmaSums.IsLeftInRegisters(i) ? i.Operands[1] : [];
        if (sums.Length != n / 2 || i.Operands.Length != (left.Length > 0 ? 7 : 8) || i.Operands[4][0].Number != 1 || i.Operands[5][0].Number != 1)
        {
            throw new NotSupportedException(i.Opcode);
        }

        bool isMnA = left.Length == 0 && i.Operands[6][0].Number == 1, isMnB = i.Operands[^1][0].Number == 1;
        Func<ushort, float> read = i.Parts[6] == "bf16" ? x => PtxFormulas.Float((ulong)x << 16) : x => (float)BitConverter.UInt16BitsToHalf(x);
        var places = new Dictionary<(ulong, int, bool), (int[] Addresses, int[] Chunks)>();
        return w =>
        {
            PtxTensorSteps.Whole(w);
            ulong a = left.Length > 0 ? 0 : w[i.Operands[1][0].Register, 0], b = w[i.Operands[2][0].Register, 0];
            bool adds = PtxDecoder.Value(w, i.Operands[3][0], 0) != 0;
            (int[] placesA, int[] chunksA) = left.Length > 0 ? ([], []) : Places(places, machine, a, 64, isMnA);
            (int[] placesB, int[] chunksB) = Places(places, machine, b, n, isMnB);
            machine.Async.Products.Ask(w, i.Index, a, b);
            machine.Async.Shared.BeginRead(chunksA);
            machine.Async.Shared.BeginRead(chunksB);
            foreach (Arg sum in sums)
            {
                Own(w, sum.Register, w.Sums.UnderWay, w.Sums.Read);
            }

            foreach (Arg operand in left)
            {
                Own(w, operand.Register, w.Sums.Read, w.Sums.UnderWay);
            }

            var work = new AsyncWork(i.Text, Compute, w.Sums.Last);
            void Compute()
            {
                double[] rows = ArrayPool<double>.Shared.Rent(Rows * Depth), columns = ArrayPool<double>.Shared.Rent(Depth * n);
                if (left.Length > 0)
                {
                    Fragments(w, left, read, rows);
                }
                else
                {
                    Values(machine, placesA.AsSpan(Rows * Depth * (w.Number % 4), Rows * Depth), read, rows, Depth, 1);
                }

                Values(machine, placesB, read, columns, 1, n);
                Multiply(w, sums, rows, columns, adds);
                ArrayPool<double>.Shared.Return(rows);
                ArrayPool<double>.Shared.Return(columns);
            }

            w.Sums.Last = work;
            w.Sums.Groups[^1].Add((work, () =>
            {
                machine.Async.Shared.EndRead(chunksA);
                machine.Async.Shared.EndRead(chunksB);
                machine.Async.Products.Done();
                foreach (Arg sum in sums)
                {
                    w.Sums.UnderWay[sum.Register]--;
                }

                foreach (Arg operand in left)
                {
                    w.Sums.Read[operand.Register]--;
                }
            }));
            machine.Async.Start(work);
        };
    }

    private static void Own(PtxWarp w, int register, int[] uses, int[] others)
    {
        if (others[register] > 0)
        {
            throw new InvalidOperationException("a register is a sum and an operand of products under way");
        }

        if (!w.Sums.Fenced[register])
        {
            throw new InvalidOperationException("a register of products was touched, or is new, without wgmma.fence");
        }

        uses[register]++;
    }

    private static (int[] Addresses, int[] Chunks) Places(Dictionary<(ulong, int, bool), (int[], int[])> known, PtxMachine machine, ulong descriptor, int count, bool isMn)
    {
        if (!known.TryGetValue((descriptor, count, isMn), out (int[] Addresses, int[] Chunks) places))
        {
            int[] addresses = new MatrixDescriptor(descriptor).Addresses(count, isMn);
            if (addresses.Max() + 2 > machine.Shared.Length)
            {
                throw new InvalidOperationException("an operand outside of shared memory");
            }

            places = (addresses, [.. addresses.Select(address => address / 16).Distinct()]);
            known.Add((descriptor, count, isMn), places);
        }

        return places;
    }

    /// <summary>sums [16, n] = or += a [16, 16] · b [16, n]</summary>
    private static void Multiply(PtxWarp w, Arg[] sums, ReadOnlySpan<double> a, ReadOnlySpan<double> b, bool adds)
    {
        int n = 2 * sums.Length;
        double[] rented = ArrayPool<double>.Shared.Rent(Rows * n);
        Span<double> all = rented.AsSpan(0, Rows * n);
        all.Clear();
        for (int r = 0; r < sums.Length && adds; r++)
        {
            ReadOnlySpan<ulong> values = w.Values(sums[r].Register);
            for (int lane = 0; lane < values.Length; lane++)
            {
                all[Place(r, lane, n)] = PtxFormulas.Float(values[lane]);
            }
        }

        PtxProducts.Add(a, b, all, n, Depth);
        for (int r = 0; r < sums.Length; r++)
        {
            Span<ulong> values = w.Values(sums[r].Register);
            for (int lane = 0; lane < values.Length; lane++)
            {
                values[lane] = PtxFormulas.Bits((float)all[Place(r, lane, n)]);
            }
        }

        ArrayPool<double>.Shared.Return(rented);
    }

    /// <summary>Where the sum of a register and a lane is in [16, n].</summary>
    private static int Place(int register, int lane, int n) => n * (lane / 4 + 8 * (register / 2 % 2)) + 8 * (register / 4) + 2 * (lane % 4) + register % 2;

    /// <summary>The warp's 16 rows of a left operand in registers, as mma has them.</summary>
    private static void Fragments(PtxWarp w, Arg[] left, Func<ushort, float> read, Span<double> values)
    {
        for (int r = 0; r < left.Length; r++)
        {
            ReadOnlySpan<ulong> pairs = w.Values(left[r].Register);
            for (int lane = 0; lane < pairs.Length; lane++)
            {
                uint pair = (uint)pairs[lane];
                int at = Depth * (lane / 4 + 8 * (r & 1)) + 2 * (lane % 4) + 8 * (r >> 1);
                (values[at], values[at + 1]) = (read((ushort)pair), read((ushort)(pair >> 16)));
            }
        }
    }

    /// <summary>Reads [count, 16] from shared memory; where elements go is given by how far the next one is along each axis.</summary>
    private static void Values(PtxMachine machine, ReadOnlySpan<int> places, Func<ushort, float> read, Span<double> values, int next, int deeper)
    {
        ReadOnlySpan<byte> shared = machine.Shared;
        for (int i = 0; i < places.Length; i++)
        {
            values[i / Depth * next + i % Depth * deeper] = read(MemoryMarshal.Read<ushort>(shared[places[i]..]));
        }
    }
}
