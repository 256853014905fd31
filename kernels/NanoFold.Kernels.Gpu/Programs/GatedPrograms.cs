using System.Reflection;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Products that apply the formula of a gate: every tile, forward and backward, of whole rows and of others.</summary>
internal static class GatedPrograms
{
    private static readonly (GpuType Type, int Architecture, bool IsWhole)[] s_kinds =
    [
        (GpuType.BFloat16, 80, true), (GpuType.Float16, 80, true), (GpuType.BFloat16, 80, false), (GpuType.Float32, 80, true), (GpuType.Float32, 90, true),
    ];

    /// <param name="formulas">Where feed-forwards are that have gates: the engine. There is one program by warps and one by warpgroups, of bfloat16 in the largest tile, for each formula but SiLU's, which has all.</param>
    public static IEnumerable<GpuProgram> Of(Assembly formulas)
        => from formula in Formulas(formulas)
           from isGradient in new[] { false, true }
           let gate = new GemmGate(formula, isGradient)
           from kind in s_kinds.Take(formula.Name == "silu" ? s_kinds.Length : 1)
           let spec = Spec(gate, kind.Type, kind.IsWhole)
           from key in Keys(spec, formula.Name == "silu", kind.Architecture)
           let edge = kind.IsWhole ? "" : "-odd"
           let operands = kind.Type == GpuType.Float32 ? "tf32" : "16 bits"
           select new GpuProgram(
               $"{key.Family}-{kind.Type}-{key.Tile.ToString().Replace(' ', '-')}-{gate.ToString().Replace(' ', '-')}{edge}{(kind.Architecture == 80 ? "" : "-90")}".ToLowerInvariant(),
               $"{key.Family} {key.Tile} {operands}, {gate}{(kind.IsWhole ? "" : ", odd rows")}",
               () => ProductPrograms.Text(key.Write(kind.Architecture)));

    private static IEnumerable<GemmKernelKey> Keys(GemmSpec spec, bool hasAll, int architecture)
    {
        IEnumerable<GemmTile> warps = GemmTiles.Mma.Where(tile => MmaGemm.Fits(spec, tile)), groups = architecture == 80 ? ProductPrograms.Warpgroups(spec) : [];
        return (hasAll ? warps : warps.Take(1)).Select(tile => new GemmKernelKey(GemmFamily.Mma, spec, tile))
            .Concat((hasAll ? groups : groups.Take(1)).Select(tile => new GemmKernelKey(GemmFamily.Wgmma, spec, tile)));
    }

    private static GemmSpec Spec(GemmGate gate, GpuType type, bool isWhole) => new()
    {
        Input = type,
        Output = type,
        ColumnsB = !gate.IsGradient,
        AlignA = isWhole ? 16 : type.Size(),
        AlignB = isWhole ? 16 : type.Size(),
        RaggedDepth = !isWhole,
        WideY = isWhole,
        Bias = gate.IsGradient ? null : type,
        Gate = gate,
    };

    // What is made without settings and says that it has a gate.
    private static IEnumerable<GateFormula> Formulas(Assembly formulas)
        => formulas.GetTypes().Where(type => type is { IsAbstract: false, IsGenericTypeDefinition: false } && type.GetConstructor(Type.EmptyTypes) is not null)
            .Select(type => (Type: type, Gate: type.GetProperty("Gate", typeof(GateFormula)))).Where(found => found.Gate is not null)
            .Select(found => (GateFormula?)found.Gate!.GetValue(Activator.CreateInstance(found.Type))).OfType<GateFormula>().Distinct().OrderBy(formula => formula.Name, StringComparer.Ordinal);
}
