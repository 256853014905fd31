using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.Norm;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>The kernels that norms of all widths are shared out to.</summary>
internal static class NormSplits
{
    private const int GroupSize = 256, MostWidth = 16384;

    /// <param name="most">Pieces of a lane at most.</param>
    public static HashSet<(Type Sum, Type Pieces)> All(int most)
    {
        var recorder = new Recorder([]);
        for (int width = 1; width <= MostWidth; width++)
        {
            foreach (bool isWide in (ReadOnlySpan<bool>)[false, true])
            {
                (new NormSplit(hasWarps: true, GroupSize, width, most) with { IsWide = isWide }).Run(recorder);
            }
        }

        new NormSplit(hasWarps: false, GroupSize, 1, most).Run(recorder);
        return recorder.Found;
    }

    private readonly struct Recorder(HashSet<(Type Sum, Type Pieces)> found) : INormLaunch
    {
        public HashSet<(Type Sum, Type Pieces)> Found { get; } = found;

        public void Run<TSum, TTile>(in NormSplit split)
            where TSum : struct, ILaneSum
            where TTile : struct, IRegisterTile<TTile>
            => Found.Add((typeof(TSum), typeof(TTile)));
    }
}
