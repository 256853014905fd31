using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// The role of a warpgroup that multiplies: it waits until a stage is filled, starts its products, and hands the stage before back when that one's are done.
/// Each warp hands back for itself, for a wait says nothing of other warps; in a cluster to every block of it, for each of them writes a part of the stage.
/// </summary>
internal sealed class WgmmaConsumer
{
    private const int StepDepth = 16, Steps = WgmmaLayout.Depth / StepDepth;

    private readonly PtxWriter _w;
    private readonly WgmmaLayout _layout;
    private readonly Reg _shared, _group, _isElected, _always, _isReturner, _rank;
    private readonly Reg[][] _sums;

    /// <param name="group">0 or 1: the upper or the lower half of a tile's rows.</param>
    public WgmmaConsumer(PtxWriter w, WgmmaLayout layout, Reg shared, Reg group, Reg isElected)
    {
        (_w, _layout, _shared, _group, _isElected) = (w, layout, shared, group, isElected);
        _isReturner = isElected;
        if (layout.Cluster > 1)
        {
            // A lane for each block.
            Reg lane = w.And(w.ThreadX(), 31);
            (_isReturner, _rank) = (w.Compare("lt", lane, layout.Cluster), w.Rem(lane, layout.Cluster));
        }

        _always = w.Compare("eq", w.Const(0), 0);
        _sums = [.. Enumerable.Range(0, layout.Heights).Select(_ => w.New(RegKind.F32, layout.Tile.N / 2))];
    }

    public void Write(Reg thread)
    {
        var ring = new PtxRing(_w, _layout.Ring, _shared, firstParity: 0);
        var results = new WgmmaResults(_w, _layout, _shared, _group, thread, _isElected);
        Reg depth = GemmArguments.Read(_w, RegKind.B32, nameof(GemmArguments.K)), before = _w.New(RegKind.B32), left = _w.New(RegKind.B32);
        _w.Set(before, 0);
        WgmmaGemm.ForEachTile(_w, _layout.Tile, (row, column) =>
        {
            results.Begin(row, column);
            foreach (Reg sum in _sums.SelectMany(s => s))
            {
                _w.Set(sum, 0f);
            }

            _w.Set(left, depth);
            string next = _w.NewLabel();
            _w.Mark(next);
            Reg barrier = ring.Barrier();
            _w.WaitBarrier(barrier, WgmmaLayout.Full, ring.Parity, "a stage to be filled");
            Multiply(ring.Tile());
            _w.WaitProducts(1);
            HandBack(before, _w.Both(_isReturner, _w.Compare("ne", left, depth)));

            _w.Set(before, barrier);
            ring.Advance();
            _w.Set(left, _w.Sub(left, WgmmaLayout.Depth));
            using (_w.When(_w.Compare("gt", left, 0)))
            {
                _w.Branch(next);
            }

            _w.WaitProducts(0);
            HandBack(before, _isReturner);
            results.Store(row, column, _sums);
        });
        results.End();
    }

    private void HandBack(Reg barrier, Reg where)
    {
        using (_w.When(where))
        {
            if (_layout.Cluster > 1)
            {
                _w.ArriveInCluster(_w.SharedOf(barrier, _rank), _layout.Empty);
            }
            else
            {
                _w.Arrive(barrier, _layout.Empty);
            }
        }
    }

    private void Multiply(Reg tiles)
    {
        bool alongA = _layout.Spec.IsDepthContiguous(true), alongB = _layout.Spec.IsDepthContiguous(false);
        Reg[] a = _w.Descriptor(_w.Mad(_group, _layout.Heights * WgmmaLayout.PanelBytes, tiles), alongA, WgmmaLayout.Depth);
        Reg[] b = _w.Descriptor(_w.Add(tiles, _layout.BytesA), alongB, WgmmaLayout.Depth);
        _w.FenceSums();
        for (int step = 0; step < Steps; step++)
        {
            for (int height = 0; height < _layout.Heights; height++)
            {
                Reg ofA = _w.At(a, height * (WgmmaLayout.PanelBytes >> 4) + step * PtxWgmma.Step(alongA));
                _w.MultiplyGroup(_layout.Spec.Input, _sums[height], ofA, _w.At(b, step * PtxWgmma.Step(alongB)), _always, alongA, alongB);
            }
        }

        _w.CommitProducts();
    }
}
