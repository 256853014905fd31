using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Where a block of threads works: its first row and column, the rows and columns there are, its part of the depth, and the operands' addresses
/// with the batch or group counted in. Blocks that a fixed grid has too many of return.
/// </summary>
internal sealed class GemmBlock
{
    /// <summary>Rows of blocks that run through the columns together, so that what they share stays in the second-level cache.</summary>
    public const int RowsTogether = 8;

    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private Reg _outer;
    private Reg _inner;

    public GemmBlock(PtxWriter w, in GemmSpec spec, int tileM, int tileN)
    {
        (_w, _spec) = (w, spec);
        (A, B) = (Read64(nameof(GemmArguments.A)), Read64(nameof(GemmArguments.B)));
        StrideA = Read32(nameof(GemmArguments.StrideA));
        StrideB = Read32(nameof(GemmArguments.StrideB));
        Rows = Read32(nameof(GemmArguments.M));
        Columns = spec.HasPairs ? w.Shr(Read32(nameof(GemmArguments.N)), 1) : Read32(nameof(GemmArguments.N));
        DepthEnd = Read32(nameof(GemmArguments.K));
        DepthBegin = w.Const(0);
        if (spec.Mode == GemmMode.RowGroups)
        {
            FindGroup(tileM, tileN);
        }
        else
        {
            (Row, Column) = Place(w, w.BlockX(), tileM, spec.HasPairs ? tileN / 2 : tileN);
            Part();
        }
    }

    public Reg A { get; private set; }

    public Reg B { get; private set; }

    public Reg StrideA { get; }

    public Reg StrideB { get; }

    /// <summary>End of the rows that are the block's own.</summary>
    public Reg Rows { get; private set; }

    /// <summary>Of pairs where there are such.</summary>
    public Reg Columns { get; }

    public Reg DepthBegin { get; private set; }

    public Reg DepthEnd { get; private set; }

    public Reg Row { get; private set; }

    public Reg Column { get; private set; }

    /// <summary>
    /// Addresses of y and of the residual. For a kernel's end: written before its loop, they make the compiler sink them, and then order the loop badly
    /// (fragments are loaded only where they are used).
    /// </summary>
    public (Reg Y, Reg Residual) Results()
    {
        Reg y = Read64(nameof(GemmArguments.Y));
        if (_spec.Mode is GemmMode.SplitDepth or GemmMode.DepthGroups)
        {
            y = Step(y, _outer, nameof(GemmArguments.OuterY));
        }
        else if (_spec.Mode == GemmMode.Batch)
        {
            y = Step(Step(y, _outer, nameof(GemmArguments.OuterY)), _inner, nameof(GemmArguments.InnerY));
        }

        if (_spec.Residual is null)
        {
            return (y, default);
        }

        Reg residual = Read64(nameof(GemmArguments.Residual));
        return (y, Step(Step(residual, _outer, nameof(GemmArguments.OuterResidual)), _inner, nameof(GemmArguments.InnerResidual)));
    }

    private Reg Read32(string field) => GemmArguments.Read(_w, RegKind.B32, field);

    private Reg Read64(string field) => GemmArguments.Read(_w, RegKind.B64, field);

    /// <summary>First row and column of a tile: tiles are counted down a band of a few rows of them, then to the right.</summary>
    public static (Reg Row, Reg Column) Place(PtxWriter w, Reg tile, int tileM, int tileN, int together = RowsTogether)
    {
        Reg tilesM = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.TilesM)), tilesN = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.TilesN));
        Reg perBand = w.Mul(tilesN, together);
        Reg band = w.Div(tile, perBand);
        Reg first = w.Mul(band, together);
        Reg inBand = w.Sub(tile, w.Mul(band, perBand));
        Reg rows = w.Min(w.Sub(tilesM, first), together);
        Reg column = w.Div(inBand, rows);
        Reg row = w.Mul(w.Add(first, w.Sub(inBand, w.Mul(column, rows))), tileM);
        return (row, w.Mul(column, tileN));
    }

    private void Part()
    {
        Reg z = _w.BlockZ();
        _outer = z;
        switch (_spec.Mode)
        {
            case GemmMode.SplitDepth:
                Reg slice = Read32(nameof(GemmArguments.SliceDepth));
                DepthBegin = _w.Mul(z, slice);
                DepthEnd = _w.Min(_w.Add(DepthBegin, slice), DepthEnd);
                break;
            case GemmMode.DepthGroups:
                _w.WaitForEarlier();
                Reg offset = _w.MadWide(z, 4, Read64(nameof(GemmArguments.Offsets)));
                DepthBegin = _w.LoadGlobal(RegKind.B32, offset);
                DepthEnd = _w.LoadGlobal(RegKind.B32, offset, 4);
                break;
            default:
                Reg count = Read32(nameof(GemmArguments.InnerCount));
                _outer = _w.Div(z, count);
                _inner = _w.Sub(z, _w.Mul(_outer, count));
                A = Step(Step(A, _outer, nameof(GemmArguments.OuterA)), _inner, nameof(GemmArguments.InnerA));
                B = Step(Step(B, _outer, nameof(GemmArguments.OuterB)), _inner, nameof(GemmArguments.InnerB));
                break;
        }
    }

    private Reg Step(Reg address, Reg count, string stride) => _w.Mad(_w.Widen(count), Read64(stride), address);

    /// <summary>Counts blocks through the groups until this one's is found.</summary>
    private void FindGroup(int tileM, int tileN)
    {
        _w.WaitForEarlier();
        Reg tilesN = Read32(nameof(GemmArguments.TilesN)), groups = Read32(nameof(GemmArguments.Groups)), block = _w.BlockX();
        Reg slot = _w.Div(block, tilesN);
        Column = _w.Mul(_w.Sub(block, _w.Mul(slot, tilesN)), tileN);
        Reg offsets = Read64(nameof(GemmArguments.Offsets));
        Reg group = _w.Const(0), left = _w.New(RegKind.B32), at = _w.New(RegKind.B64);
        _w.Set(left, slot);
        _w.Set(at, offsets);
        Reg start = _w.LoadGlobal(RegKind.B32, offsets);
        Reg end = _w.New(RegKind.B32);
        string search = _w.NewLabel(), found = _w.NewLabel();
        _w.Mark(search);
        _w.Set(end, _w.LoadGlobal(RegKind.B32, at, 4));
        Reg tiles = _w.Div(_w.Add(_w.Sub(end, start), tileM - 1), tileM);
        using (_w.When(_w.Compare("lt", left, tiles)))
        {
            _w.Branch(found);
        }

        _w.Set(left, _w.Sub(left, tiles));
        _w.Set(start, end);
        _w.Set(group, _w.Add(group, 1));
        _w.Set(at, _w.Add(at, 4));
        using (_w.When(_w.Compare("lt", group, groups)))
        {
            _w.Branch(search);
        }

        _w.Return();
        _w.Mark(found);
        Row = _w.Mad(left, tileM, start);
        Rows = end;
        B = Step(B, group, nameof(GemmArguments.OuterB));
    }
}
