using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>Where a role is in the ring of stages: the stage, and the parity of the barrier's phase that it waits for, which turns with every round.</summary>
internal sealed class WgmmaRing
{
    private readonly PtxWriter _w;
    private readonly WgmmaLayout _layout;
    private readonly Reg _shared;

    public WgmmaRing(PtxWriter w, WgmmaLayout layout, Reg shared, int firstParity)
    {
        (_w, _layout, _shared) = (w, layout, shared);
        (Stage, Parity) = (w.New(RegKind.B32), w.New(RegKind.B32));
        w.Set(Stage, 0);
        w.Set(Parity, firstParity);
    }

    public Reg Stage { get; }

    public Reg Parity { get; }

    /// <summary>The stage's first barrier.</summary>
    public Reg Barrier() => _w.Add(_w.Mad(Stage, 8, _shared), _layout.BarriersAt);

    /// <summary>Of the stage's tiles: a, and after it b.</summary>
    public Reg Tiles() => _w.Mad(Stage, _layout.StageBytes, _shared);

    public void Advance()
    {
        Reg turned = _w.Xor(Parity, 1);
        _w.Set(Stage, _w.Add(Stage, 1));
        Reg isRound = _w.Compare("eq", Stage, _layout.Tile.Stages);
        using (_w.When(isRound))
        {
            _w.Set(Stage, 0);
            _w.Set(Parity, turned);
        }
    }
}
