namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>A ring of stages in shared memory, and the barriers of each.</summary>
/// <param name="Stages">Of the ring.</param>
/// <param name="StageBytes">Of a stage's tiles, which begin where shared memory does.</param>
/// <param name="BarriersAt">Offset of the first stage's first barrier; those of one kind are 8 bytes apart.</param>
internal readonly record struct PtxRingLayout(int Stages, int StageBytes, int BarriersAt);

/// <summary>Where a role is in the ring of stages: the stage, and the parity of the barriers' phase that it waits for, which turns with every round.</summary>
internal sealed class PtxRing
{
    private readonly PtxWriter _w;
    private readonly PtxRingLayout _layout;
    private readonly Reg _shared;

    public PtxRing(PtxWriter w, PtxRingLayout layout, Reg shared, int firstParity)
    {
        (_w, _layout, _shared) = (w, layout, shared);
        (Stage, Parity) = (w.New(RegKind.B32), w.New(RegKind.B32));
        w.Set(Stage, 0);
        w.Set(Parity, firstParity);
    }

    public Reg Stage { get; }

    public Reg Parity { get; }

    /// <summary>Address of a stage's barrier, to which the offset of its kind is added.</summary>
    public Reg Barrier() => _w.Add(_w.Mad(Stage, 8, _shared), _layout.BarriersAt);

    /// <summary>Address of the stage's first tile, to which the offsets of others are added.</summary>
    public Reg Tile() => _w.Mad(Stage, _layout.StageBytes, _shared);

    /// <summary>Is where another one is.</summary>
    public void Set(PtxRing other)
    {
        _w.Set(Stage, other.Stage);
        _w.Set(Parity, other.Parity);
    }

    public void Advance()
    {
        Reg turned = _w.Xor(Parity, 1);
        _w.Set(Stage, _w.Add(Stage, 1));
        Reg isRound = _w.Compare("eq", Stage, _layout.Stages);
        using (_w.When(isRound))
        {
            _w.Set(Stage, 0);
            _w.Set(Parity, turned);
        }
    }
}
