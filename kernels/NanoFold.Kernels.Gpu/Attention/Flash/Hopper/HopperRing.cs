using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>Where a role is in the ring of stages: the stage, and the parity of the barriers' phase that it waits for, which turns with every round.</summary>
internal sealed class HopperRing
{
    private readonly PtxWriter _w;
    private readonly HopperSpec _spec;
    private readonly Reg _shared;

    public HopperRing(PtxWriter w, in HopperSpec spec, Reg shared, int firstParity)
    {
        (_w, _spec, _shared) = (w, spec, shared);
        (Stage, Parity) = (w.New(RegKind.B32), w.New(RegKind.B32));
        w.Set(Stage, 0);
        w.Set(Parity, firstParity);
    }

    public Reg Stage { get; }

    public Reg Parity { get; }

    /// <summary>Address of a stage's barrier, to which the offset of its kind is added.</summary>
    public Reg Barrier() => _w.Add(_w.Mad(Stage, 8, _shared), _spec.BarriersAt);

    /// <summary>Address of a stage's keys, to which that of the values is added.</summary>
    public Reg Tile() => _w.Mad(Stage, _spec.StageBytes, _shared);

    /// <summary>Is where another one is.</summary>
    public void Set(HopperRing other)
    {
        _w.Set(Stage, other.Stage);
        _w.Set(Parity, other.Parity);
    }

    public void Advance()
    {
        Reg turned = _w.Xor(Parity, 1);
        _w.Set(Stage, _w.Add(Stage, 1));
        Reg isRound = _w.Compare("eq", Stage, _spec.Stages);
        using (_w.When(isRound))
        {
            _w.Set(Stage, 0);
            _w.Set(Parity, turned);
        }
    }
}
