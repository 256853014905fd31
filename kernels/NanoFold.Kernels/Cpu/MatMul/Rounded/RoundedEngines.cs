using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Engines for products whose operands are rounded to bfloat16.</summary>
internal static class RoundedEngines
{
    private static readonly (Isa Isa, Engine Engine)[] s_widened =
    [
        (Isa.Vector512, new Engine<SixRowKernel<Ops512, Vector512<float>>, RoundedOperands, Ops512, Vector512<float>, float>("bf16 widened, 512-bit 6x32")),
        (Isa.Vector256, new Engine<SixRowKernel<Ops256, Vector256<float>>, RoundedOperands, Ops256, Vector256<float>, float>("bf16 widened, 256-bit 6x16")),
        (Isa.Vector128, new Engine<SixRowKernel<Ops128, Vector128<float>>, RoundedOperands, Ops128, Vector128<float>, float>("bf16 widened, 128-bit 6x8")),
        (Isa.Scalar, new Engine<SixRowKernel<OpsScalar<float>, float>, RoundedOperands, OpsScalar<float>, float, float>("bf16 widened, scalar 6x2")),
    ];

    /// <summary>With <c>vdpbf16ps</c>.</summary>
    public static Engine Pairs { get; } = new Engine<PairKernel<PlacedPairs>, PairOperands, Ops512, Vector512<float>, float>("bf16 pairs, 512-bit 8x32");

    /// <summary>With AMX.</summary>
    public static Engine Tiles { get; } = new Engine<TileKernel<PlacedTiles>, TileOperands, Ops512, Vector512<float>, float>("bf16 tiles 32x32");

    /// <summary>All that this machine can run.</summary>
    public static IEnumerable<Engine> All =>
        [.. s_widened.Select(line => line.Engine), .. RoundedUnits.There.Select(unit => unit == InstructionSet.Tiles ? Tiles : Pairs)];

    /// <summary>The chosen unit's on the widest path, else that of floats.</summary>
    public static Engine For(Isa isa) => isa == Isa.Vector512 ? Of(RoundedUnits.Chosen) : Widened(isa);

    /// <summary>A unit's on the widest path; without a unit that of floats.</summary>
    internal static Engine Of(InstructionSet? unit) => unit switch
    {
        InstructionSet.Tiles => Tiles,
        InstructionSet.Avx512Pairs => Pairs,
        _ => Widened(Isa.Vector512),
    };

    private static Engine Widened(Isa isa) => Array.Find(s_widened, line => line.Isa == isa).Engine;
}
