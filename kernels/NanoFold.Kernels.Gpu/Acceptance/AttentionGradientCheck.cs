using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// All gradients of attention by one kernel, by warps and by warpgroups, of each kind of mask, against sums in double: its blocks wait for one another, which no other kernel here does.
/// By warpgroups it runs with bounded waits first, then as it is used. Two runs must give the same bits.
/// </summary>
internal static class AttentionGradientCheck
{
    private const int Runs = 2, OfResult = 3;

    /// <summary>Weights and their gradients are rounded to eight bits.</summary>
    private const float Tolerance = 0.03f;

    public static IEnumerable<CardCheck> All =>
        from byGroups in new[] { false, true }
        from example in AttentionExample.All
        select new CardCheck($"attention-gradients{(byGroups ? "-wgmma" : "")}-{example}", byGroups ? WgmmaGemm.Architecture : 80, device => Run(device, example, byGroups));

    private static CheckResult Run(ICheckDevice device, AttentionExample example, bool byGroups)
    {
        (float[] rows, float[] expected) = Expected(example);
        int ofQueries = example.Batch * example.Time * example.Heads * example.Depth, ofKeys = example.Batch * example.KeyCount * example.KeyHeads * example.Depth;
        float[] first = [];
        for (int run = 0; run < Runs; run++)
        {
            FlashArguments arguments = byGroups ? ByGroups(device, example, rows, isWatched: run == 0) : ByWarps(device, example, rows);
            float[] got =
            [
                .. AttentionExample.Read(device, arguments.DQ.Address, ofQueries), .. AttentionExample.Read(device, arguments.DK.Address, ofKeys), .. AttentionExample.Read(device, arguments.DV.Address, ofKeys),
            ];
            if (run > 0 && !got.AsSpan().SequenceEqual(first))
            {
                return CheckResult.Near(first, got, 0);
            }

            first = got;
        }

        return CheckResult.Near(expected, first, Tolerance);
    }

    private static FlashArguments ByWarps(ICheckDevice device, AttentionExample example, float[] rows)
    {
        var spec = FlashSpec.Of(FlashPass.Gradients, GpuType.BFloat16, example.Depth, example.HasPrefix, example.DocumentLength > 0);
        FlashArguments arguments = Arguments(device, example, rows, FlashGradients.Room(example.Batch, example.Heads, example.Time, example.Depth), FlashSpec.QueriesTogether, spec.Rows);
        device.Run(spec.Write(), arguments, example.Batch * example.KeyHeads * arguments.KeyBlocks);
        return arguments;
    }

    private static FlashArguments ByGroups(ICheckDevice device, AttentionExample example, float[] rows, bool isWatched)
    {
        var spec = HopperGradientSpec.Of(GpuType.BFloat16, example.Depth, example.HasPrefix, example.DocumentLength > 0);
        FlashArguments arguments = Arguments(device, example, rows, HopperGradientSpec.Room(example.Batch, example.Heads, example.Time, example.Depth), spec.Queries, HopperGradientSpec.Keys);
        HopperGradientArguments all = HopperGradientRun.Arguments(map => device.Map(map), spec, arguments, example.Batch);
        all.Forward.Watch = device.Watch;
        device.Run(HopperGradients.Write(spec, isWatched), all, example.Batch * example.KeyHeads * arguments.KeyBlocks);
        return arguments;
    }

    private static FlashArguments Arguments(ICheckDevice device, AttentionExample example, float[] rows, FlashRoom room, int queries, int keys)
    {
        FlashArguments arguments = example.Arguments(device);
        arguments.DY = example.Tensor(example.Put(device, OfResult, example.Time, example.Heads), example.Time, example.Heads);
        arguments.DQ = Room(example.Time, example.Heads);
        arguments.DK = Room(example.KeyCount, example.KeyHeads);
        arguments.DV = Room(example.KeyCount, example.KeyHeads);
        arguments.Bits = device.Allocate(room.Rows);
        arguments.Delta = arguments.Bits + (room.Rows / 2);
        arguments.Sums = device.Allocate(room.Sums);
        arguments.Turns = device.Allocate(room.Turns);
        arguments.QueryBlocks = FlashRoom.Blocks(example.Time, queries);
        arguments.KeyBlocks = FlashRoom.Blocks(example.KeyCount, keys);
        device.Write(arguments.Bits, MemoryMarshal.AsBytes<float>(rows));
        device.Write(arguments.Turns, new byte[room.Turns]);
        return arguments;

        FlashTensor Room(int count, int heads) => example.Tensor(device.Allocate(2L * example.Batch * count * heads * example.Depth), count, heads);
    }

    /// <summary>What <see cref="DeltaRows"/> makes of the forward pass, and dq [B, T, H, D], dk and dv [B, S, K, D].</summary>
    private static (float[] Rows, float[] Gradients) Expected(AttentionExample e)
    {
        int length = DeltaRows.Length(e.Time), half = e.Batch * e.Heads * length, group = e.Heads / e.KeyHeads;
        var rows = new float[2 * half];
        rows.AsSpan(0, half).Fill(1e30f);
        double[] dq = new double[e.Batch * e.Time * e.Heads * e.Depth], dk = new double[e.Batch * e.KeyCount * e.KeyHeads * e.Depth], dv = new double[dk.Length];
        Parallel.For(0, e.Batch * e.KeyHeads, pair =>
        {
            (int batch, int keyHead) = (pair / e.KeyHeads, pair % e.KeyHeads);
            for (int i = 0; i < group * e.Time; i++)
            {
                (int head, int row) = (keyHead * group + i / e.Time, i % e.Time);
                (double[] weights, double logSumExp) = e.Weights(batch, head, row);
                double[] slopes = [.. weights.Select((w, key) => w == 0 ? 0 : Dot(d => AttentionExample.Value(OfResult, batch, row, head, d) * (double)AttentionExample.Value(2, batch, key, keyHead, d)))];
                double delta = weights.Zip(slopes, (w, s) => w * s).Sum();
                (rows[(batch * e.Heads + head) * length + row], rows[half + (batch * e.Heads + head) * length + row]) = ((float)(logSumExp / Math.Log(2)), (float)delta);
                for (int key = 0; key < e.KeyCount; key++)
                {
                    if (weights[key] == 0)
                    {
                        continue;
                    }

                    double ofScore = AttentionExample.Scale * weights[key] * (slopes[key] - delta);
                    int atQuery = ((batch * e.Time + row) * e.Heads + head) * e.Depth, atKey = ((batch * e.KeyCount + key) * e.KeyHeads + keyHead) * e.Depth;
                    for (int d = 0; d < e.Depth; d++)
                    {
                        dq[atQuery + d] += ofScore * AttentionExample.Value(1, batch, key, keyHead, d);
                        dk[atKey + d] += ofScore * AttentionExample.Value(0, batch, row, head, d);
                        dv[atKey + d] += weights[key] * AttentionExample.Value(OfResult, batch, row, head, d);
                    }
                }
            }
        });
        return (rows, [.. dq.Concat(dk).Concat(dv).Select(x => (float)x)]);

        double Dot(Func<int, double> term)
        {
            double sum = 0;
            for (int d = 0; d < e.Depth; d++)
            {
                sum += term(d);
            }

            return sum;
        }
    }
}
