using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>
/// What is done to a few adjacent sums of a row where a product turns heads by rotary positions: y = alpha · sums (+ bias), rounded to y's type as if it had been stored, and of each pair (a, b)
/// then (a cos − b sin, a sin + b cos). All of the columns are first or second ones of pairs, or whole pairs, or not turned.
/// </summary>
internal sealed class RotatedEpilogue
{
    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmRotation _rotation;
    private readonly GemmEpilogue _epilogue;
    private readonly GemmEpilogue.Place _own, _other;
    private readonly Reg _rows, _strideY, _time, _last, _strideTable, _table, _positions, _isTurned, _sign;
    private readonly int _count;

    /// <param name="w">Of the kernel.</param>
    /// <param name="spec">Its kind.</param>
    /// <param name="block">Where it works.</param>
    /// <param name="column">The first of the columns.</param>
    /// <param name="count">How many.</param>
    public RotatedEpilogue(PtxWriter w, in GemmSpec spec, GemmBlock block, Reg column, int count)
    {
        (_w, _spec, _rotation, _count, _rows) = (w, spec, spec.Rotation!.Value, count, block.Rows);
        _epilogue = new GemmEpilogue(w, spec, block);
        _strideY = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideY));
        _time = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.Time));
        _last = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.LastPosition));
        _strideTable = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideTable));
        _positions = _rotation.HasPositions ? GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Positions)) : default;
        Reg inHead = w.Rem(column, _rotation.HeadDim);
        _isTurned = w.Both(w.Compare("lt", column, GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.TurnedColumns))), w.Compare("lt", inHead, _rotation.Width));
        Reg isSecond = w.Compare("ge", inHead, Half), pair = _rotation.IsInterleaved ? w.Shr(inHead, 1) : w.Select(isSecond, w.Sub(inHead, Half), inHead);
        _table = w.MadWide(pair, sizeof(float), GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Table)));
        _sign = _rotation.IsInterleaved ? default : w.Select(isSecond, 1f, -1f, RegKind.F32);

        // Where nothing is turned the other column of the pair is the same one.
        Apart = _rotation.IsInterleaved ? default : w.Select(_isTurned, w.Select(isSecond, -Half, Half), 0);
        _own = _epilogue.At(column, count, check: true);
        _other = _rotation.IsInterleaved || spec.Bias is null ? default : _epilogue.At(w.Add(column, Apart), count, check: true);
    }

    /// <summary>Columns from one of a pair to the other; none where pairs are neighbors.</summary>
    public Reg Apart { get; }

    private int Half => _rotation.Width / 2;

    /// <summary>Stores the results of a row, where it exists.</summary>
    /// <param name="row">Its number.</param>
    /// <param name="load">Loads sums of it: those of the columns, or those of the others of their pairs.</param>
    public void Store(Reg row, Func<bool, Reg[]> load)
    {
        Reg inside = _w.Both(_w.Compare("lt", row, _rows), _own.IsInside!.Value), isTurned = _w.Both(inside, _isTurned), address = _w.MadWide(Position(row, inside), _strideTable, _table);

        // Memory is far away: cosines and sines are asked for before the sums are looked at.
        int pairs = _rotation.IsInterleaved ? _count / 2 : _count;
        Reg[] cos = GemmElements.Load(_w, GpuType.Float32, address, 0, pairs, isTurned), sin = GemmElements.Load(_w, GpuType.Float32, address, sizeof(float) * Half, pairs, isTurned);
        Reg[] own = _epilogue.Scale(_own.Bias, load(false));
        GemmElements.Round(_w, _spec.Output, own);
        Reg[] turned = _rotation.IsInterleaved ? Neighbors(own, cos, sin) : Halves(own, load(true), cos, sin), stored = new Reg[_count];
        for (int i = 0; i < _count; i++)
        {
            stored[i] = _w.Select(_isTurned, turned[i], own[i], RegKind.F32);
        }

        GemmElements.Store(_w, _spec.Output, _w.MadWide(row, _strideY, _own.Y), 0, stored, inside);
    }

    private Reg[] Neighbors(Reg[] own, Reg[] cos, Reg[] sin)
    {
        var turned = new Reg[_count];
        for (int i = 0; i < _count; i += 2)
        {
            turned[i] = _w.Sub(_w.Mul(own[i], cos[i / 2]), _w.Mul(own[i + 1], sin[i / 2]));
            turned[i + 1] = _w.Add(_w.Mul(own[i], sin[i / 2]), _w.Mul(own[i + 1], cos[i / 2]));
        }

        return turned;
    }

    // The sign of the sine is exact, so that both halves have the bits of the formula.
    private Reg[] Halves(Reg[] own, Reg[] sums, Reg[] cos, Reg[] sin)
    {
        Reg[] other = _epilogue.Scale(_other.Bias ?? [], sums), turned = new Reg[_count];
        GemmElements.Round(_w, _spec.Output, other);
        for (int i = 0; i < _count; i++)
        {
            turned[i] = _w.Add(_w.Mul(own[i], cos[i]), _w.Mul(other[i], _w.Mul(sin[i], _sign)));
        }

        return turned;
    }

    // As RopeWork: positions outside of the table are its nearest ones.
    private Reg Position(Reg row, Reg inside)
    {
        Reg batch = _w.Div(row, _time), position = _w.Sub(row, _w.Mul(batch, _time));
        if (_rotation.HasPositions)
        {
            position = _w.Add(position, _w.LoadGlobalWhere(inside, RegKind.B32, 1, _w.MadWide(batch, sizeof(int), _positions))[0]);
        }

        return _w.Min(_w.Max(position, 0), _last);
    }
}
