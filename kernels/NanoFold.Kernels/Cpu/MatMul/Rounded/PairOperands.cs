using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>
/// Pairs of bfloat16 along k for <c>vdpbf16ps</c>: a step is a pair, of which panels and strips hold those of all their lines side by side. What is rounded is rounded while it is packed.
/// </summary>
internal readonly unsafe struct PairOperands : IOperands<float>
{
    public static bool ReadsInPlace => false;

    public static int StepDepth => 2;

    public static int StepUnit => 1;

    public static int RowUnit => PairBlock.Side;

    public static void PackPanels(in Lines source, int width, float* target) => Pack(source, width, target);

    public static void PackStrips(in Lines source, int width, float* target) => Pack(source, width, target);

    [SkipLocalsInit]
    private static void Pack(in Lines source, int width, float* target)
    {
        Vector512<uint>* block = stackalloc Vector512<uint>[PairBlock.Side];
        int pairs = Steps<PairOperands, float>.Of(source.Depth), lines = BlockPlan.Ceiling(source.Count, width) * width;
        for (int line = 0; line < lines; line += PairBlock.Side)
        {
            float* first = target + (nint)(line / width) * pairs * width + line % width;
            nint panel = (nint)pairs * width;
            int done = PlacedPacking.Run(source, line, width >= PairBlock.Side ? PackedForm.Strip : PackedForm.Panels, first, panel * sizeof(float));
            for (int pair = done; pair < pairs; pair += PairBlock.Side)
            {
                PairBlock.Fill(source, line, pair, rowsAreLines: false, block);
                Put(block, Math.Min(PairBlock.Side, pairs - pair), width, lines - line, first + (nint)pair * width, panel);
            }
        }
    }

    /// <summary>Rows of pairs into one strip, or into two panels of half a row each.</summary>
    public static void Put(Vector512<uint>* rows, int pairs, int width, int lines, float* target, nint panel)
    {
        var to = (uint*)target;
        if (width >= PairBlock.Side)
        {
            for (int i = 0; i < pairs; i++, to += width)
            {
                rows[i].Store(to);
            }

            return;
        }

        bool both = lines > width;
        for (int i = 0; i < pairs; i++, to += width)
        {
            rows[i].GetLower().Store(to);
            if (both)
            {
                rows[i].GetUpper().Store(to + panel);
            }
        }
    }
}
