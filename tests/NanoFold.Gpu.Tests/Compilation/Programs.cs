using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>The kernels that are written as PTX: flash attention in all variants, products in all tiles with each kind of operands.</summary>
internal static class Programs
{
    private static readonly GpuType[] s_halves = [GpuType.BFloat16, GpuType.Float16];

    public static IEnumerable<(string Name, PtxProgram Program)> All => Attention().Concat(Products());

    private static IEnumerable<(string Name, PtxProgram Program)> Attention()
        => from pass in Enum.GetValues<FlashPass>()
           from type in s_halves
           from depth in new[] { 32, 64, 128 }
           from hasPrefix in new[] { false, true }
           from documents in new[] { false, true }
           let spec = FlashSpec.Of(pass, type, depth, hasPrefix, documents)
           select (spec.Name, spec.Write());

    private static IEnumerable<(string Name, PtxProgram Program)> Products()
    {
        foreach (GemmSpec spec in Specs())
        {
            IEnumerable<GemmKernelKey> keys =
            [
                .. GemmTiles.Mma.Where(tile => MmaGemm.Fits(spec, tile)).Select(tile => new GemmKernelKey(GemmFamily.Mma, spec, tile)),
                .. GemmTiles.Simt.Select(tile => new GemmKernelKey(GemmFamily.Simt, spec, tile)),
                .. FewRows(spec).Select(tile => new GemmKernelKey(GemmFamily.FewRows, spec, tile)),
                .. spec.Mode == GemmMode.Batch ? [new GemmKernelKey(GemmFamily.Reduce, spec, default)] : Array.Empty<GemmKernelKey>(),
            ];
            foreach (GemmKernelKey key in keys)
            {
                yield return ($"{key.Name} {spec}", key.Write());
            }
        }
    }

    private static IEnumerable<GemmTile> FewRows(GemmSpec spec)
        => Enumerable.Range(1, 8).Where(rows => FewRowsGemm.Fits(new GemmProblem { Input = spec.Input, Output = spec.Output, M = rows }, spec)).Select(FewRowsGemm.Tile).Distinct();

    private static IEnumerable<GemmSpec> Specs()
        => from type in Enum.GetValues<GpuType>()
           from columns in Enumerable.Range(0, 4)
           from mode in Enum.GetValues<GemmMode>()
           from isWhole in new[] { false, true }
           select new GemmSpec
           {
               Input = type,
               Output = mode is GemmMode.SplitDepth or GemmMode.DepthGroups ? GpuType.Float32 : type,
               Mode = mode,
               ColumnsA = columns / 2 > 0,
               ColumnsB = columns % 2 > 0,
               AlignA = isWhole ? 16 : type.Size(),
               AlignB = isWhole ? 16 : type.Size(),
               RaggedDepth = !isWhole,
               WideY = isWhole,
               Accumulate = !isWhole && mode != GemmMode.SplitDepth,
               Bias = mode == GemmMode.Batch ? type : null,
               Residual = mode == GemmMode.Batch && isWhole ? type : null,
           };
}
