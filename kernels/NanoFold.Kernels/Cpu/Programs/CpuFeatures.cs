using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Programs;

/// <summary>
/// Units of the processor for which .NET has no intrinsics: what CPUID shows, the system keeps, and it grants. Found once a process.
/// </summary>
internal static unsafe class CpuFeatures
{
    // CPUID: leaf 7 sub-leaf 0 in edx, sub-leaf 1 in eax; leaf 1 in ecx.
    private const int Features = 7;
    private const int TilePairs = 1 << 22, Tiles = 1 << 24, Pairs = 1 << 5, KeepsExtended = 1 << 27;

    // The states of vectors of 512 bits, and those of tiles, in the register of extended control.
    private const ulong VectorStates = 0xe6, TileStates = 3 << 17;

    private static readonly Lazy<ulong> s_kept = new(Kept);
    private static readonly Lazy<string?> s_tiles = new(AskForTiles);

    /// <summary>Products of pairs of bfloat16 in vectors: AVX512_BF16.</summary>
    public static bool HasPairs => HasVectors && MostLeaf >= Features && (Leaf(Features, 1).Eax & Pairs) != 0;

    /// <summary>Tiles of bfloat16 that this process may use: AMX-BF16.</summary>
    public static bool HasTilePairs => ShowsTiles && s_tiles.Value is null;

    /// <summary>Why the tiles that the processor shows cannot be used; null where it shows none, or they can.</summary>
    public static string? TilesRefused => ShowsTiles ? s_tiles.Value : null;

    private static bool HasVectors => Avx512BW.IsSupported && Avx512DQ.IsSupported && MachineProgram.IsX64;

    private static int MostLeaf => X86Base.CpuId(0, 0).Eax;

    private static bool ShowsTiles => HasVectors && MostLeaf >= Features && (Leaf(Features, 0).Edx & (Tiles | TilePairs)) == (Tiles | TilePairs);

    private static (int Eax, int Ebx, int Ecx, int Edx) Leaf(int leaf, int part) => X86Base.CpuId(leaf, part);

    private static string? AskForTiles() =>
        (s_kept.Value & (VectorStates | TileStates)) != (VectorStates | TileStates) ? "the system does not keep tiles" : TilePermission.Ask();

    private static ulong Kept()
    {
        if ((Leaf(1, 0).Ecx & KeepsExtended) == 0)
        {
            return 0;
        }

        MachineProgram? program = MachineProgram.Place(ReadExtendedControl, out _);
        return program is null ? 0 : program.Run(null);
    }

    /// <summary>A program that gives the register of extended control.</summary>
    internal static void ReadExtendedControl(Assembler w)
    {
        w.Move(Register.Rcx, 0);
        w.GetExtendedControl();
        w.ShiftLeft(Register.Rdx, 32);
        w.Or(Register.Rax, Register.Rdx);
        w.Return();
    }
}
