using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Products of logits that leave sums of their rows: every tile.</summary>
internal static class RowSumPrograms
{
    private static readonly (GpuType Type, int Architecture)[] s_kinds = [(GpuType.BFloat16, 80), (GpuType.Float16, 80), (GpuType.Float32, 80), (GpuType.Float32, 90)];

    public static IEnumerable<GpuProgram> All
        => from kind in s_kinds
           from family in new[] { GemmFamily.Mma, GemmFamily.Wgmma }
           from tile in family == GemmFamily.Mma ? GemmTiles.Mma : ProductPrograms.Warpgroups(Spec(kind.Type))
           let operands = kind.Type == GpuType.Float32 ? "tf32" : "16 bits"
           let key = new GemmKernelKey(family, Spec(kind.Type), tile)
           select new GpuProgram(
               $"{family}-{kind.Type}-{tile.ToString().Replace(' ', '-')}-row-sums{(kind.Architecture == 80 ? "" : "-90")}".ToLowerInvariant(),
               $"{family} {tile} {operands}, row sums",
               () => ProductPrograms.Text(key.Write(kind.Architecture)));

    private static GemmSpec Spec(GpuType type) => new() { Input = type, Output = type, ColumnsB = true, AlignA = 16, AlignB = 16, WideY = true, SumsRows = true };
}
