namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>What an instruction reads in each lane: a register, or a number, which is the same in all of them.</summary>
internal readonly struct PtxOperand
{
    private static readonly ulong[] s_zeros = new ulong[PtxWarp.Lanes];

    private readonly int _register;
    private readonly ulong[] _number;

    public PtxOperand(PtxText.Arg arg)
    {
        _register = arg.Register;
        _number = s_zeros;
        if (arg.Register < 0 && arg.Number != 0)
        {
            _number = new ulong[PtxWarp.Lanes];
            Array.Fill(_number, (ulong)arg.Number);
        }
    }

    public static PtxOperand None { get; } = new(new PtxText.Arg(-1, 0, null));

    public ReadOnlySpan<ulong> Of(PtxWarp warp) => _register >= 0 ? warp.Values(_register) : _number;
}
