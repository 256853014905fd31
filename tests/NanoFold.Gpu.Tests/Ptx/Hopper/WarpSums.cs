namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Of one warp: sums, and operands in registers, that no other instruction has touched since a fence, and how many products under way have each.</summary>
internal sealed class WarpSums
{
    public HashSet<int> Fenced { get; } = [];

    public Dictionary<int, int> UnderWay { get; } = [];

    /// <summary>Of operands.</summary>
    public Dictionary<int, int> Read { get; } = [];

    /// <summary>Products of the newest group, and those before.</summary>
    public List<List<(AsyncWork Work, Action Release)>> Groups { get; } = [[]];

    public AsyncWork? Last { get; set; }
}
