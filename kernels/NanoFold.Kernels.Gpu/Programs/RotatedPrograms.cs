using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Products that turn heads by rotary positions: every tile, pairs in halves of heads that are as wide as a warp's columns, and neighbors in wider ones.</summary>
internal static class RotatedPrograms
{
    private static readonly (GpuType Type, int Architecture)[] s_kinds = [(GpuType.BFloat16, 80), (GpuType.Float32, 80), (GpuType.Float32, 90)];

    public static IEnumerable<GpuProgram> All
        => from kind in s_kinds
           from family in new[] { GemmFamily.Mma, GemmFamily.Wgmma }
           from tile in family == GemmFamily.Mma ? GemmTiles.Mma : GemmTiles.Wgmma
           from rotation in new[] { new GemmRotation(Math.Min(tile.WarpN, 64), Math.Min(tile.WarpN, 64), IsInterleaved: false, HasPositions: false), new(128, 128, IsInterleaved: true, HasPositions: true) }
           let key = new GemmKernelKey(family, Spec(kind.Type, rotation), tile)
           where family == GemmFamily.Mma || ProductPrograms.Warpgroups(key.Spec).Contains(tile)
           let operands = kind.Type == GpuType.Float32 ? "tf32" : "16 bits"
           select new GpuProgram(
               $"{family}-{kind.Type}-{tile.ToString().Replace(' ', '-')}-{rotation.ToString().Replace(' ', '-')}{(kind.Architecture == 80 ? "" : "-90")}".ToLowerInvariant(),
               $"{family} {tile} {operands}, heads turned",
               () => ProductPrograms.Text(key.Write(kind.Architecture)));

    private static GemmSpec Spec(GpuType type, GemmRotation rotation) => new()
    {
        Input = type,
        Output = type,
        ColumnsB = true,
        AlignA = 16,
        AlignB = 16,
        WideY = true,
        Bias = type,
        Rotation = rotation,
    };
}
