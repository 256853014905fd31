using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>
/// Pairs of bfloat16 along k for the tiles of AMX, sixteen at a time: b as for vectors, a row by row: of each sixteen pairs first those of a panel's first row.
/// </summary>
internal readonly unsafe struct TileOperands : IOperands<float>
{
    public static bool ReadsInPlace => false;

    public static int StepDepth => 2;

    public static int StepUnit => PairBlock.Side;

    public static int RowUnit => 1;

    public static void PackPanels(in Lines source, int width, float* target) => Pack(source, width, target, rowsAreLines: true);

    public static void PackStrips(in Lines source, int width, float* target) => Pack(source, width, target, rowsAreLines: false);

    [SkipLocalsInit]
    private static void Pack(in Lines source, int width, float* target, bool rowsAreLines)
    {
        Vector512<uint>* block = stackalloc Vector512<uint>[PairBlock.Side];
        int pairs = Steps<TileOperands, float>.Of(source.Depth), lines = BlockPlan.Ceiling(source.Count, width) * width;
        for (int line = 0; line < lines; line += PairBlock.Side)
        {
            float* first = target + (nint)(line / width) * pairs * width + line % width * (rowsAreLines ? PairBlock.Side : 1);
            nint others = (nint)(width - PairBlock.Side) * PairBlock.Side * sizeof(float);
            int done = PlacedPacking.Run(source, line, rowsAreLines ? PackedForm.Tile : PackedForm.Strip, first, others);
            for (int pair = done; pair < pairs; pair += PairBlock.Side)
            {
                PairBlock.Fill(source, line, pair, rowsAreLines, block);
                PairOperands.Put(block, PairBlock.Side, rowsAreLines ? PairBlock.Side : width, lines - line, first + (nint)pair * width, 0);
            }
        }
    }
}
