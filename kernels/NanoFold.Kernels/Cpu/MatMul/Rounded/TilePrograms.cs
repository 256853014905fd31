using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Programs that multiply tiles, however they are run.</summary>
internal unsafe interface ITilePrograms
{
    /// <summary>That for panels of so many rows, and half as many columns where <paramref name="narrow"/>.</summary>
    static abstract void Run(int rows, bool narrow, TileArguments* arguments);
}

/// <summary>The programs for vectors, as the machine runs them.</summary>
internal readonly unsafe struct PlacedPairs : ITilePrograms
{
    private static readonly MachineProgram? s_wide = Place(2, out s_wideReason), s_narrow = Place(1, out s_narrowReason);
    private static readonly string? s_wideReason, s_narrowReason;

    /// <summary>Why they cannot be run, or null.</summary>
    public static string? Reason => s_wideReason ?? s_narrowReason;

    public static void Run(int rows, bool narrow, TileArguments* arguments) => (narrow ? s_narrow : s_wide)!.Run(arguments);

    private static MachineProgram? Place(int vectors, out string? reason) => MachineProgram.Place(w => PairProgram.Write(w, vectors, VectorInstruction.DotPairs), out reason);
}

/// <summary>The programs for tiles, as the machine runs them.</summary>
internal readonly unsafe struct PlacedTiles : ITilePrograms
{
    private static readonly MachineProgram?[] s_programs = [Place(1, 1), Place(1, 2), Place(2, 1), Place(2, 2)];

    /// <summary>Why they cannot be run, or null.</summary>
    public static string? Reason => s_programs.Any(p => p is null) ? PlacedPairs.Reason ?? "the system allows no more executable pages" : null;

    public static void Run(int rows, bool narrow, TileArguments* arguments) => s_programs[(rows > TileProgram.Side ? 2 : 0) + (narrow ? 0 : 1)]!.Run(arguments);

    private static MachineProgram? Place(int rows, int columns) => MachineProgram.Place(w => TileProgram.Write(w, rows, columns), out _);
}
