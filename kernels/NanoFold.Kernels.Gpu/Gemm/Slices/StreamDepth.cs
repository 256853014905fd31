using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Slices;

/// <summary>
/// Deals the steps of the depth of all tiles, one tile after another, out to the blocks of a launch, to each the same number of them or one more ("stream-K"): no block is idle while others have a
/// last tile. A block may end a tile that the one before it began, do whole tiles, and begin one that the next goes on with. Who has what depends on the number of blocks alone.
/// </summary>
internal sealed class StreamDepth
{
    private readonly PtxWriter _w;
    private readonly Reg _steps, _each, _more, _many, _block, _at, _end;

    /// <param name="w">Of the kernel.</param>
    /// <param name="tiles">There are.</param>
    /// <param name="steps">Of a tile's depth.</param>
    /// <param name="block">Number of the block.</param>
    /// <param name="blocks">Of the launch; there are at least as many steps.</param>
    public StreamDepth(PtxWriter w, Reg tiles, Reg steps, Reg block, Reg blocks)
    {
        (_w, _steps, _block) = (w, steps, block);
        Reg all = w.Mul(tiles, steps);
        _each = w.Div(all, blocks);
        _more = w.Sub(all, w.Mul(_each, blocks));
        _many = w.Mul(_more, w.Add(_each, 1));
        (_at, _end) = (w.New(RegKind.B32), w.New(RegKind.B32));
        w.Set(_at, w.Mad(block, _each, w.Min(block, _more)));
        w.Set(_end, w.Add(w.Add(_at, _each), w.Select(w.Compare("lt", block, _more), 1, 0)));
    }

    /// <summary>Places of parts: two a block, of the tile that it ends or goes on with, and of the one that it begins.</summary>
    public static int Places(int blocks) => 2 * blocks;

    /// <summary>Writes a loop over the block's parts: which one it is, and its first step of the tile's depth and the one after its last.</summary>
    public void ForEach(Action<SliceParts, Reg, Reg> write)
    {
        string next = _w.NewLabel();
        _w.Mark(next);
        Reg tile = _w.Div(_at, _steps), start = _w.Mul(tile, _steps), begin = _w.Sub(_at, start), end = _w.Min(_w.Sub(_end, start), _steps);
        Reg first = BlockOf(start), last = BlockOf(_w.Sub(_w.Add(start, _steps), 1));
        Reg firstPlace = _w.Add(_w.Mul(first, 2), 1);
        Reg own = _w.Select(_w.Compare("eq", _block, first), firstPlace, _w.Mul(_block, 2));
        write(new SliceParts(tile, _w.Add(_w.Sub(last, first), 1), firstPlace, own, Step: 2, FirstStep: 1) { MayBeAlone = true }, begin, end);
        _w.Set(_at, _w.Add(start, end));
        using (_w.When(_w.Compare("lt", _at, _end)))
        {
            _w.Branch(next);
        }
    }

    private Reg BlockOf(Reg step)
    {
        Reg early = _w.Div(step, _w.Add(_each, 1)), late = _w.Add(_more, _w.Div(_w.Sub(step, _many), _each));
        return _w.Select(_w.Compare("lt", step, _many), early, late);
    }
}
