using System.Globalization;
using System.Runtime.InteropServices;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>wgmma: a warp computes its 16 of the 64 rows, in the background.</summary>
internal static class WgmmaSteps
{
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
        w.Sums.Fenced.UnionWith(machine.Sums.All);
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
        // wgmma.mma_async.sync.aligned.m64nNk16.f32.T.T sums, a, b, adds, 1, 1, a is MN-major, b is
        int n = int.Parse(i.Parts[4]["m64n".Length..^"k16".Length], CultureInfo.InvariantCulture);
        Arg[] sums = i.Operands[0];
        if (sums.Length != n / 2 || i.Operands.Length != 8 || i.Operands[4][0].Number != 1 || i.Operands[5][0].Number != 1)
        {
            throw new NotSupportedException(i.Opcode);
        }

        bool isMnA = i.Operands[6][0].Number == 1, isMnB = i.Operands[7][0].Number == 1;
        Func<ushort, float> read = i.Parts[6] == "bf16" ? x => PtxFormulas.Float((ulong)x << 16) : x => (float)BitConverter.UInt16BitsToHalf(x);
        var places = new Dictionary<(ulong, int, bool), (int[] Addresses, int[] Chunks)>();
        return w =>
        {
            PtxTensorSteps.Whole(w);
            ulong a = w[i.Operands[1][0].Register, 0], b = w[i.Operands[2][0].Register, 0];
            bool adds = PtxDecoder.Value(w, i.Operands[3][0], 0) != 0;
            (int[] placesA, int[] chunksA) = Places(places, machine, a, 64, isMnA);
            (int[] placesB, int[] chunksB) = Places(places, machine, b, n, isMnB);
            machine.Async.Products.Ask(w, i.Index, a, b);
            machine.Async.Shared.BeginRead(chunksA);
            machine.Async.Shared.BeginRead(chunksB);
            foreach (Arg sum in sums)
            {
                Own(w, sum.Register);
            }

            var work = new AsyncWork(i.Text, () => Compute(machine, w, sums, placesA.AsSpan(256 * (w.Number % 4), 256), placesB, read, adds), w.Sums.Last);
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
            }));
            machine.Async.Start(work);
        };
    }

    private static void Own(PtxWarp w, int register)
    {
        if (!w.Sums.Fenced.Contains(register))
        {
            throw new InvalidOperationException("a sum was touched, or is new, without wgmma.fence");
        }

        w.Sums.UnderWay[register] = w.Sums.UnderWay.GetValueOrDefault(register) + 1;
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

    private static void Compute(PtxMachine machine, PtxWarp w, Arg[] sums, ReadOnlySpan<int> placesA, int[] placesB, Func<ushort, float> read, bool adds)
    {
        double[] a = Values(machine, placesA, read), b = Values(machine, placesB, read);
        for (int lane = 0; lane < 32; lane++)
        {
            for (int r = 0; r < sums.Length; r++)
            {
                int row = lane / 4 + 8 * (r / 2 % 2), column = 8 * (r / 4) + 2 * (lane % 4) + r % 2;
                double sum = adds ? PtxFormulas.Float(w[sums[r].Register, lane]) : 0;
                for (int k = 0; k < 16; k++)
                {
                    sum += a[16 * row + k] * b[16 * column + k];
                }

                w[sums[r].Register, lane] = PtxFormulas.Bits((float)sum);
            }
        }
    }

    private static double[] Values(PtxMachine machine, ReadOnlySpan<int> places, Func<ushort, float> read)
    {
        var values = new double[places.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = read(MemoryMarshal.Read<ushort>(machine.Shared.AsSpan(places[i])));
        }

        return values;
    }
}
