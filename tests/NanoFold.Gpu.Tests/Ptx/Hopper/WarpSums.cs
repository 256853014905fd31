namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Of one warp: sums, and operands in registers, that no other instruction has touched since a fence, and how many products under way have each.</summary>
/// <param name="registers">How many there are.</param>
internal sealed class WarpSums(int registers)
{
    public bool[] Fenced { get; } = new bool[registers];

    public int[] UnderWay { get; } = new int[registers];

    /// <summary>Of operands.</summary>
    public int[] Read { get; } = new int[registers];

    /// <summary>Products of the newest group, and those before.</summary>
    public List<List<(AsyncWork Work, Action Release)>> Groups { get; } = [[]];

    public AsyncWork? Last { get; set; }
}
