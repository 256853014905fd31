namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Sees that the four warps of a warpgroup ask for the same products in the same order, and that none is left in the end.</summary>
internal sealed class WarpgroupProducts(int warps)
{
    private readonly List<(int Instruction, ulong A, ulong B)>[] _asked = [.. Enumerable.Range(0, (warps + 3) / 4).Select(_ => new List<(int, ulong, ulong)>())];
    private readonly int[] _counts = new int[warps];
    private int _underWay;

    public bool Any => _underWay != 0 || _asked.Where((asked, group) => _counts.Skip(4 * group).Take(4).Any(count => count != asked.Count)).Any();

    public void Ask(PtxWarp warp, int instruction, ulong a, ulong b)
    {
        List<(int Instruction, ulong A, ulong B)> asked = _asked[warp.Number / 4];
        int index = _counts[warp.Number]++;
        if (index == asked.Count)
        {
            asked.Add((instruction, a, b));
        }
        else if (asked[index] != (instruction, a, b))
        {
            throw new InvalidOperationException("the warps of a warpgroup ask for different products");
        }

        _underWay++;
    }

    public void Done() => _underWay--;
}
