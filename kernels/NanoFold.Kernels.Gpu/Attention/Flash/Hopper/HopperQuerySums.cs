using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>
/// A warpgroup's part of a block's part of dq, [64, 64]: of 128 queries one half, of 64 queries one half of the columns. It joins the sums of other blocks of keys by turns: the first one writes, the last one
/// rounds to dq. The sums lie in global memory as they do in registers: float i of thread t at 256 i + t.
/// </summary>
internal sealed class HopperQuerySums
{
    private const int Part = 64, Count = Part / 2, StepDepth = 16;

    private readonly PtxWriter _w;
    private readonly HopperGradientSpec _spec;
    private readonly HopperKeys _block;
    private readonly HopperLane _lane;
    private readonly Reg[] _sums;

    public HopperQuerySums(PtxWriter w, HopperGradientSpec spec, HopperKeys block, HopperLane lane)
    {
        (_w, _spec, _block, _lane) = (w, spec, block, lane);
        _sums = w.New(RegKind.F32, Count);
    }

    /// <summary>Whether each warpgroup has its queries; otherwise each has its columns.</summary>
    private bool IsByQueries => _spec.Queries > Part;

    /// <summary>Starts sums = gradients of scores, transposed, times keys.</summary>
    /// <param name="buffer">Offset of the gradients among those of two steps.</param>
    public void Multiply(Reg buffer)
    {
        Reg own = _w.Mad(_lane.Group, HopperGradientSpec.KeyPanelBytes, _block.Shared), gradients = _w.Add(IsByQueries ? own : _block.Shared, buffer);
        Reg[] left = _w.Descriptor(_w.Add(gradients, _spec.GradientsAt), alongDepth: false, HopperGradientSpec.Keys);
        Reg[] right = _w.Descriptor(IsByQueries ? _block.Shared : own, alongDepth: false, HopperGradientSpec.Keys);
        Reg zero = _w.Const(0), always = _w.Compare("eq", zero, 0), never = _w.Compare("ne", zero, 0);
        for (int step = 0; step < HopperGradientSpec.Keys / StepDepth; step++)
        {
            int offset = step * PtxWgmma.Step(false);
            _w.MultiplyGroup(_spec.Type, _sums, _w.At(left, offset), _w.At(right, offset), step == 0 ? never : always, false, false);
        }

        _w.CommitProducts();
    }

    /// <summary>Waits for the warp's turn; its part joins the sums, or with them becomes dq.</summary>
    public void Add(Reg head, Reg query)
    {
        FlashTurns turns = _block.Turns;
        (Reg before, Reg isLast) = turns.Of(query);
        Reg number = turns.Number(head, query);
        turns.Wait(number, before);
        string first = _w.NewLabel(), last = _w.NewLabel(), hold = _w.NewLabel(), done = _w.NewLabel();
        Reg thread = _w.Sub(_block.Thread, HopperGradientSpec.Threads - HopperGradientSpec.ConsumerThreads), bytes = _w.Const(_spec.Queries * _spec.Width * sizeof(float));
        Reg address = _w.MadWide(number, bytes, _w.MadWide(thread, sizeof(float), FlashArguments.Read(_w, RegKind.B64, nameof(FlashArguments.Sums))));
        _block.BranchIf(isLast, last);
        _block.BranchIf(_w.Compare("eq", before, 0), first);
        for (int i = 0; i < Count; i++)
        {
            _w.Reduce(address, Place(i), _sums[i]);
        }

        _w.Branch(hold);
        _w.Mark(first);
        for (int i = 0; i < Count; i++)
        {
            _w.StoreGlobal(address, Place(i), _sums[i]);
        }

        _w.Mark(hold);
        turns.Hold(number);
        _w.Branch(done);
        _w.Mark(last);
        Reg isNotAlone = _w.Compare("ne", before, 0);
        for (int i = 0; i < Count; i++)
        {
            _w.Set(_sums[i], _w.Add(_w.LoadGlobalWhere(isNotAlone, RegKind.F32, 1, address, Place(i))[0], _sums[i]));
        }

        Finish(head, query);
        _w.Mark(done);

        static int Place(int i) => i * HopperGradientSpec.ConsumerThreads * sizeof(float);
    }

    /// <summary>Writes, or adds, the warp's part of dq.</summary>
    private void Finish(Reg head, Reg query)
    {
        Reg scale = FlashArguments.Read(_w, RegKind.F32, nameof(FlashArguments.Scale)), depth = FlashArguments.Read(_w, nameof(FlashArguments.Depth));
        Reg adds = _w.Compare("ne", FlashArguments.Read(_w, nameof(FlashArguments.AccumulateQ)), 0), stride = FlashTensor.Stride(_w, nameof(FlashArguments.DQ));
        Reg row = _w.Add(_w.Mad(_lane.Warp, 16, query), _lane.Row), column = _lane.Column;
        if (IsByQueries)
        {
            row = _w.Mad(_lane.Group, Part, row);
        }
        else
        {
            column = _w.Mad(_lane.Group, Part, column);
        }

        Reg rows = _w.MadWide(column, _spec.Type.Size(), FlashTensor.Rows(_w, nameof(FlashArguments.DQ), _block.Batch, head));
        for (int half = 0; half < 2; half++)
        {
            Reg at = _w.Add(row, 8 * half), address = _w.MadWide(at, stride, rows), isRow = _w.Compare("lt", at, _block.Visible.Time);
            for (int n = 0; n < Part / 8; n++)
            {
                int from = (4 * n) + (2 * half);
                Reg isThere = _w.Both(isRow, _w.Compare("lt", _w.Add(column, 8 * n), depth));
                Reg old = _w.LoadGlobalWhere(_w.Both(isThere, adds), RegKind.B32, 1, address, 16 * n)[0];
                (Reg low, Reg high) = _w.Unpack(_spec.Type, old);
                Reg pair = _w.Pack(_spec.Type, _w.Mad(_sums[from], scale, low), _w.Mad(_sums[from + 1], scale, high));
                using (_w.When(isThere))
                {
                    _w.StoreGlobal(address, 16 * n, pair);
                }
            }
        }
    }
}
