using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Products in every tile, with each kind of operands.</summary>
internal static class ProductPrograms
{
    public static IEnumerable<GpuProgram> All
        => from kind in Kinds()
           from key in Keys(kind.Spec)
           from architecture in Architectures(key)
           select new GpuProgram(Name(key, kind.Edge, architecture), Group(key, kind.Edge), () => Text(key.Write(architecture)));

    public static GpuProgramText Text(PtxProgram program) => new(program.Text, program.Threads, program.SharedBytes);

    private static IEnumerable<GemmKernelKey> Keys(GemmSpec spec) =>
    [
        .. GemmTiles.Mma.Where(tile => MmaGemm.Fits(spec, tile)).Select(tile => new GemmKernelKey(GemmFamily.Mma, spec, tile)),
        .. Warpgroups(spec).Select(tile => new GemmKernelKey(GemmFamily.Wgmma, spec, tile)),
        .. (spec.Mode == GemmMode.SumSlices ? [] : GemmTiles.Simt).Select(tile => new GemmKernelKey(GemmFamily.Simt, spec, tile)),
        .. (spec.Mode == GemmMode.SumSlices ? [] : FewRows(spec)).Select(tile => new GemmKernelKey(GemmFamily.FewRows, spec, tile)),
        .. spec is { Mode: GemmMode.Batch, ColumnsA: false, ColumnsB: false } ? [new GemmKernelKey(GemmFamily.Reduce, spec, default)] : Array.Empty<GemmKernelKey>(),
    ];

    private static int[] Architectures(GemmKernelKey key) => key switch
    {
        { Family: GemmFamily.Wgmma } => [WgmmaGemm.Architecture],
        { Family: GemmFamily.Mma, Spec.Input: GpuType.Float32 } => [80, 90],
        _ => [80],
    };

    /// <summary>Tiles of a kind of product by warpgroups; none where it is not for them.</summary>
    internal static IEnumerable<GemmTile> Warpgroups(GemmSpec spec)
        => spec is { Input: not GpuType.Float32, Mode: GemmMode.Batch or GemmMode.SumSlices, AlignA: 16, AlignB: 16, RaggedDepth: false }
            ? GemmTiles.Wgmma.Concat(spec.Mode == GemmMode.Batch ? [.. GemmTiles.Clusters, .. GemmTiles.Streams] : Array.Empty<GemmTile>()).Where(tile => WgmmaGemm.Fits(spec, tile) && WgmmaGemm.SharedBytes(spec, tile) <= PtxLint.MostShared(WgmmaGemm.Architecture))
            : [];

    private static IEnumerable<GemmTile> FewRows(GemmSpec spec)
        => Enumerable.Range(1, FewRowsGemm.MostRows).Where(rows => FewRowsGemm.Fits(new GemmProblem { Input = spec.Input, Output = spec.Output, M = rows }, spec)).Select(FewRowsGemm.Tile).Distinct();

    private static string Name(GemmKernelKey key, string edge, int architecture)
    {
        GemmSpec spec = key.Spec;
        string tile = key.Family == GemmFamily.Reduce ? "" : $"-{Layout(spec)}-{key.Tile.ToString().Replace(' ', '-')}";
        return $"{key.Family}-{spec.Input}{tile}-{spec.Mode}-{edge}{(architecture == 80 ? "" : $"-{architecture}")}".ToLowerInvariant();
    }

    /// <summary>What has the same tile, operands of the same size, and whole rows or not. Operands of 16 bits are one group where tensor cores read them.</summary>
    private static string Group(GemmKernelKey key, string edge)
    {
        if (key.Family == GemmFamily.Reduce)
        {
            return $"{key.Family} {key.Spec.Output}";
        }

        GemmSpec spec = key.Spec;
        string operands = key.Family is not (GemmFamily.Mma or GemmFamily.Wgmma) ? $"{spec.Input}" : spec.Input == GpuType.Float32 ? "tf32" : "16 bits";
        string rows = (spec.AlignA < 16, spec.AlignB < 16) switch
        {
            (false, false) => "",
            (true, true) => $", {edge} rows",
            _ => ", odd rows of one",
        };
        return $"{key.Family} {key.Tile} {operands}{rows}";
    }

    private static string Layout(GemmSpec spec) => $"{(spec.ColumnsA ? 't' : 'n')}{(spec.ColumnsB ? 't' : 'n')}";

    private static IEnumerable<(string Edge, GemmSpec Spec)> Kinds()
        => from type in Enum.GetValues<GpuType>()
           from kind in Layouts(type).Concat(Edges(type))
           select kind;

    /// <summary>All layouts and modes, with whole rows and with rows of odd length.</summary>
    private static IEnumerable<(string Edge, GemmSpec Spec)> Layouts(GpuType type)
        => from columns in Enumerable.Range(0, 4)
           from mode in Enum.GetValues<GemmMode>()
           from isWhole in new[] { true, false }
           select (isWhole ? "whole" : "odd", new GemmSpec
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
           });

    /// <summary>What products of layers and their gradients are, and the three products of a head over a vocabulary of odd size.</summary>
    private static IEnumerable<(string Edge, GemmSpec Spec)> Edges(GpuType type)
    {
        int element = type.Size();
        var whole = new GemmSpec { Input = type, Output = type, AlignA = 16, AlignB = 16, WideY = true };
        GemmSpec forward = whole with { ColumnsB = true }, weights = whole with { ColumnsA = true, Output = GpuType.Float32, Accumulate = true };
        yield return ("plain", forward);
        yield return ("padded", forward with { RaggedDepth = true });
        yield return ("gradient", weights);
        yield return ("vocabulary-out", forward with { WideY = false });
        yield return ("vocabulary-in", whole with { AlignA = element, RaggedDepth = true });
        yield return ("vocabulary-gradient", weights with { AlignA = element });
        if (type != GpuType.Float32)
        {
            yield return ("even", forward with { AlignA = 4, AlignB = 4, RaggedDepth = true, WideY = false });
        }
    }
}
