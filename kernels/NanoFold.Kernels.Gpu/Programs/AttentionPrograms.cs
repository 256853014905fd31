using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Flash attention in all variants, those by warpgroups after the others.</summary>
internal static class AttentionPrograms
{
    public static IEnumerable<GpuProgram> All => [.. Warps, .. Turned, .. Warpgroups, .. WarpgroupGradients];

    private static IEnumerable<GpuProgram> Warps
        => from pass in Enum.GetValues<FlashPass>()
           from type in new[] { GpuType.BFloat16, GpuType.Float16 }
           from depth in new[] { 32, 64, 128 }
           from hasPrefix in new[] { false, true }
           from documents in new[] { false, true }
           let spec = FlashSpec.Of(pass, type, depth, hasPrefix, documents)
           select new GpuProgram(spec.Name.Replace('_', '-'), $"flash {pass} {depth}{(hasPrefix ? ", prefix" : "")}{(documents ? ", documents" : "")}", () => ProductPrograms.Text(spec.Write()));

    /// <summary>Gradients of queries and keys that are turned back as they are stored.</summary>
    private static IEnumerable<GpuProgram> Turned
        => from pass in new[] { FlashPass.QueryGradient, FlashPass.KeyGradient }
           from depth in new[] { 32, 64, 128 }
           from hasPrefix in new[] { false, true }
           from documents in new[] { false, true }
           from interleaved in new[] { false, true }
           let spec = FlashSpec.Of(pass, GpuType.BFloat16, depth, hasPrefix, documents) with { Rotation = new FlashRotation(depth, interleaved, HasPositions: interleaved) }
           select new GpuProgram(spec.Name.Replace('_', '-'), $"flash {pass} {depth}{(hasPrefix ? ", prefix" : "")}{(documents ? ", documents" : "")}, turned", () => ProductPrograms.Text(spec.Write()));

    private static IEnumerable<GpuProgram> Warpgroups
        => from type in new[] { GpuType.BFloat16, GpuType.Float16 }
           from depth in new[] { 32, 64, 128 }
           from hasPrefix in new[] { false, true }
           from documents in new[] { false, true }
           let spec = HopperSpec.Of(type, depth, hasPrefix, documents)
           select new GpuProgram(spec.Name.Replace('_', '-'), $"flash Forward {depth} by warpgroups{(hasPrefix ? ", prefix" : "")}{(documents ? ", documents" : "")}", () => ProductPrograms.Text(HopperForward.Write(spec)));

    private static IEnumerable<GpuProgram> WarpgroupGradients
        => from type in new[] { GpuType.BFloat16, GpuType.Float16 }
           from depth in new[] { 32, 64, 128 }
           from hasPrefix in new[] { false, true }
           from documents in new[] { false, true }
           let spec = HopperGradientSpec.Of(type, depth, hasPrefix, documents)
           select new GpuProgram(spec.Name.Replace('_', '-'), $"flash Gradients {depth} by warpgroups{(hasPrefix ? ", prefix" : "")}{(documents ? ", documents" : "")}", () => ProductPrograms.Text(HopperGradients.Write(spec)));
}
