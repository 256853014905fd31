using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Acceptance;

/// <summary>
/// Attention forward, by warps and by warpgroups, of each kind of mask, against sums in double. Memory of the result begins as no number. By warpgroups it runs with bounded waits
/// first, then as it is used; all runs must give the same bits.
/// </summary>
internal static class AttentionCheck
{
    private const int Runs = 2;

    /// <summary>Results and weights have eight bits.</summary>
    private const float Tolerance = 0.01f;

    public static IEnumerable<CardCheck> All =>
        from byGroups in new[] { false, true }
        from example in AttentionExample.All
        select new CardCheck(
            $"attention-{(byGroups ? "wgmma" : "mma")}-{example}", byGroups ? WgmmaGemm.Architecture : 80, device => Run(device, example, byGroups));

    private static CheckResult Run(ICheckDevice device, AttentionExample example, bool byGroups)
    {
        FlashArguments arguments = example.Arguments(device);
        float[] first = [];
        for (int run = 0; run < Runs; run++)
        {
            arguments.Y.Address = device.Allocate(2L * example.Batch * example.Time * example.Heads * example.Depth);
            if (byGroups)
            {
                ByGroups(device, example, arguments, isWatched: run == 0);
            }
            else
            {
                var spec = FlashSpec.Of(FlashPass.Forward, GpuType.BFloat16, example.Depth, example.HasPrefix, example.DocumentLength > 0);
                device.Run(spec.Write(), arguments, example.Batch * example.Heads, (example.Time + spec.Rows - 1) / spec.Rows);
            }

            float[] got = example.Read(device, arguments);
            if (run > 0 && !got.AsSpan().SequenceEqual(first))
            {
                return CheckResult.Near(first, got, 0);
            }

            first = got;
        }

        return CheckResult.Near(example.Expected(), first, Tolerance);
    }

    private static void ByGroups(ICheckDevice device, AttentionExample example, in FlashArguments arguments, bool isWatched)
    {
        var spec = HopperSpec.Of(GpuType.BFloat16, example.Depth, example.HasPrefix, example.DocumentLength > 0);
        HopperArguments all = HopperRun.Arguments(map => device.Map(map), spec, arguments, example.Batch);
        all.Watch = device.Watch;
        device.Run(HopperForward.Write(spec, isWatched), all, example.Batch * example.Heads, HopperRun.Blocks(spec, example.Time));
    }
}
