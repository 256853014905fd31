namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>Sets of instructions of x64 that can be switched off, from the least to the most: each stands for those before it too.</summary>
public enum InstructionSet
{
    Avx2,
    Avx512,

    /// <summary>Products of pairs of bfloat16 in vectors.</summary>
    Avx512Pairs,

    /// <summary>Products of bfloat16 in tiles.</summary>
    Tiles,
}

/// <summary>What the variable NANOFOLD_ISA says of sets of instructions: the one that it names is the most that is used.</summary>
public static class InstructionSets
{
    public const string Variable = "NANOFOLD_ISA";

    private static readonly (string Name, InstructionSet Set)[] s_names =
    [
        ("avx2", InstructionSet.Avx2), ("avx512", InstructionSet.Avx512), ("avx512bf16", InstructionSet.Avx512Pairs), ("amx", InstructionSet.Tiles),
    ];

    /// <summary>The set that is named; null where none is, or none that there is.</summary>
    public static InstructionSet? Named { get; } = Find(Environment.GetEnvironmentVariable(Variable));

    /// <summary>What is wrong with the variable, in a line; null where nothing is.</summary>
    public static string? Fault => FaultOf(Environment.GetEnvironmentVariable(Variable), IsThere);

    /// <summary>Whether the variable leaves a set on.</summary>
    public static bool Allows(InstructionSet set) => Allows(Named, set);

    public static string Name(this InstructionSet set) => Array.Find(s_names, line => line.Set == set).Name;

    /// <summary>Whether a set is left on where <paramref name="most"/> is the most; all are where it is null.</summary>
    internal static bool Allows(InstructionSet? most, InstructionSet set) => most is null || set <= most;

    /// <summary>What is wrong with a value of the variable on a machine that has the sets of <paramref name="isThere"/>.</summary>
    internal static string? FaultOf(string? value, Func<InstructionSet, bool> isThere)
    {
        if (string.IsNullOrEmpty(value) || (Find(value) is { } set && isThere(set)))
        {
            return null;
        }

        string[] there = [.. s_names.Where(line => isThere(line.Set)).Select(line => line.Name)];
        string expected = there.Length == 0 ? "leave it unset: this machine has none of them" : $"expected one of {string.Join(", ", there)}, which this machine has, or leave it unset";
        return $"{Variable}={value}: {expected}";
    }

    private static bool IsThere(InstructionSet set) => set switch
    {
        InstructionSet.Avx2 => System.Runtime.Intrinsics.X86.Avx2.IsSupported,
        InstructionSet.Avx512 => System.Runtime.Intrinsics.X86.Avx512F.IsSupported,
        InstructionSet.Avx512Pairs => CpuFeatures.HasPairs,
        _ => CpuFeatures.HasTilePairs,
    };

    private static InstructionSet? Find(string? name) => Array.FindIndex(s_names, line => line.Name == name) is >= 0 and int i ? s_names[i].Set : null;
}
