namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Registers of a multiprocessor, and how many of them a thread of each warp has.</summary>
internal sealed class RegisterPool
{
    private const int All = 65536;

    private readonly int[] _has;
    private int _free;

    public RegisterPool(int warps)
    {
        // As the assembler does for one block a multiprocessor.
        int each = Math.Min(255, All / (32 * warps) / 8 * 8);
        _has = [.. Enumerable.Repeat(each, warps)];
        _free = All - 32 * warps * each;
    }

    public void Set(PtxWarp warp, int count, bool isMore)
    {
        int more = count - _has[warp.Number];
        if (count % 8 != 0 || count is < 24 or > 256 || more < 0 == isMore)
        {
            throw new InvalidOperationException($"a thread has {_has[warp.Number]} registers");
        }

        if (32 * more > _free)
        {
            // Once more, when others have given theirs away.
            warp.Next--;
            warp.WaitFor($"{32 * more} registers, {_free} are free", () => 32 * more <= _free);
            return;
        }

        _free -= 32 * more;
        _has[warp.Number] = count;
    }
}
