using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>The programs that pack, as the machine runs them where it can.</summary>
internal static unsafe class PlacedPacking
{
    private const int VectorBytes = 64;

    private static readonly bool s_isThere = CpuFeatures.HasPairs && InstructionSets.Allows(InstructionSet.Avx512Pairs);
    private static readonly ushort* s_turns = Turns();
    private static readonly MachineProgram?[] s_along = Place(across: false), s_across = Place(across: true);

    /// <summary>Packs sixteen lines up to where whole blocks end; gives the pairs that are done, 0 where no program serves.</summary>
    /// <param name="source">Lines from <paramref name="line"/> on are packed.</param>
    /// <param name="line">The first.</param>
    /// <param name="form">How pairs are to lie.</param>
    /// <param name="target">Where the first of them lies.</param>
    /// <param name="next">Bytes from the first panel to the second; for tiles those between the tiles of one line.</param>
    public static int Run(in Lines source, int line, PackedForm form, float* target, nint next)
    {
        bool across = source.LineStride == sizeof(float);
        int blocks = source.Count - line >= PairBlock.Side ? source.Depth / (2 * PairBlock.Side) : 0;
        if (blocks == 0 || !(across || source.StepStride == sizeof(float)) || (across ? s_across : s_along)[(int)form] is not { } program)
        {
            return 0;
        }

        var arguments = new PackArguments
        {
            Source = source.Place(line, 0), Stride = across ? source.StepStride : source.LineStride, Blocks = blocks, Target = (byte*)target, Next = next, Turns = s_turns,
        };
        program.Run(&arguments);
        return blocks * PairBlock.Side;
    }

    private static MachineProgram?[] Place(bool across) =>
        [.. Enum.GetValues<PackedForm>().Select(form => s_isThere ? MachineProgram.Place(w => PackProgram.Write(w, across, form), out _) : null)];

    // Lives as long as the process.
    private static ushort* Turns()
    {
        var turns = (ushort*)NativeMemory.AlignedAlloc(VectorBytes, VectorBytes);
        PackProgram.Turns.ToArray().CopyTo(new Span<ushort>(turns, 2 * PairBlock.Side));
        return turns;
    }
}
