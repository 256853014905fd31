using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>What is known of the units for bfloat16 before any is timed.</summary>
/// <param name="HasPairs">The processor has AVX512_BF16.</param>
/// <param name="HasTiles">It has AMX-BF16, and this process may use it.</param>
/// <param name="PairsRefused">Why programs for vectors cannot be run; null where they can, or the processor has none.</param>
/// <param name="TilesRefused">Why tiles that the processor has cannot be used; null where they can, or it has none.</param>
/// <param name="Most">The most that NANOFOLD_ISA leaves on; null: all.</param>
internal readonly record struct UnitFacts(bool HasPairs, bool HasTiles, string? PairsRefused, string? TilesRefused, InstructionSet? Most)
{
    /// <summary>Those of this machine.</summary>
    public static UnitFacts Found()
    {
        bool hasPairs = CpuFeatures.HasPairs, hasTiles = CpuFeatures.HasTilePairs;
        return new UnitFacts(
            hasPairs, hasTiles, hasPairs ? PlacedPairs.Reason : null, hasTiles ? PlacedTiles.Reason : CpuFeatures.TilesRefused, InstructionSets.Named);
    }

    /// <summary>The units that are there, allowed and able to run programs.</summary>
    public IReadOnlyList<InstructionSet> Usable()
    {
        List<InstructionSet> units = [];
        if (HasPairs && PairsRefused is null && Allows(InstructionSet.Avx512Pairs))
        {
            units.Add(InstructionSet.Avx512Pairs);
        }

        if (HasTiles && TilesRefused is null && Allows(InstructionSet.Tiles))
        {
            units.Add(InstructionSet.Tiles);
        }

        return units;
    }

    /// <summary>Why bfloat16 is multiplied as floats where no unit was chosen, in a few words.</summary>
    public string WhyFloats() =>
        !HasPairs && !HasTiles && TilesRefused is null ? "the processor has no unit for bfloat16"
        : !Allows(InstructionSet.Avx512Pairs) ? SwitchedOff
        : PairsRefused ?? TilesRefused ?? (Usable().Count > 0 ? "its unit for bfloat16 is not faster than floats" : SwitchedOff);

    private static string SwitchedOff => $"{InstructionSets.Variable} switches its unit for bfloat16 off";

    private bool Allows(InstructionSet set) => InstructionSets.Allows(Most, set);
}
