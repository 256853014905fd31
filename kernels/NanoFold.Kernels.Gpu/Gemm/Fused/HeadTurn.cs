using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Fused;

/// <summary>
/// Turns a few adjacent results of a row by rotary positions: of each pair (a, b), rounded to y's type as if they had been stored, (a cos − b sin, a sin + b cos). All of the columns are first or second
/// ones of pairs, or whole pairs, or not turned. The product with a is part of a multiply-add, as the assembler makes it of <c>RopeWork</c>: the bits are the same.
/// </summary>
internal sealed class HeadTurn
{
    private readonly PtxWriter _w;
    private readonly GemmRotation _rotation;
    private readonly Reg _time, _last, _strideTable, _table, _tableSecond, _positions, _isTurned, _sign;
    private readonly int _count;

    /// <param name="w">Of the kernel.</param>
    /// <param name="rotation">Which heads are turned, and how.</param>
    /// <param name="column">The first of the columns.</param>
    /// <param name="count">How many.</param>
    public HeadTurn(PtxWriter w, GemmRotation rotation, Reg column, int count)
    {
        (_w, _rotation, _count) = (w, rotation, count);
        _time = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.Time));
        _last = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.LastPosition));
        _strideTable = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideTable));
        _positions = rotation.HasPositions ? GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Positions)) : default;
        Reg inHead = w.Rem(column, rotation.HeadDim), table = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Table));
        _isTurned = w.Both(w.Compare("lt", column, GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.TurnedColumns))), w.Compare("lt", inHead, rotation.Width));
        if (rotation.IsInterleaved)
        {
            _table = w.MadWide(w.Shr(inHead, 1), sizeof(float), table);
            return;
        }

        // Where nothing is turned both columns of the pair are the same one.
        Reg isSecond = w.Compare("ge", inHead, Half);
        ToFirst = w.Select(_isTurned, w.Select(isSecond, -Half, 0), 0);
        ToSecond = w.Select(_isTurned, w.Select(isSecond, 0, Half), 0);

        // The first column of a pair becomes a cos + b (−sin), the second one a sin + b cos.
        Reg cosines = w.MadWide(w.Select(isSecond, w.Sub(inHead, Half), inHead), sizeof(float), table), sines = w.Op(RegKind.B64, "add.s64", cosines, sizeof(float) * Half);
        (_table, _tableSecond) = (w.Select(isSecond, sines, cosines, RegKind.B64), w.Select(isSecond, cosines, sines, RegKind.B64));
        _sign = w.Select(isSecond, 1f, -1f, RegKind.F32);
    }

    /// <summary>Columns from one to the first one of its pair, and to the second one; none where pairs are neighbors.</summary>
    public Reg ToFirst { get; }

    /// <inheritdoc cref="ToFirst"/>
    public Reg ToSecond { get; }

    private int Half => _rotation.Width / 2;

    /// <summary>The results of a row, turned.</summary>
    /// <param name="row">Its number.</param>
    /// <param name="inside">Whether it exists.</param>
    /// <param name="load">Gives rounded results of it: of the first columns of pairs or, where neighbors are, of all; then of the second ones.</param>
    public Reg[] Turn(Reg row, Reg inside, Func<bool, Reg[]> load)
    {
        Reg isTurned = _w.Both(inside, _isTurned), position = Position(row, inside);

        // Memory is far away: cosines and sines are asked for before the results are looked at.
        return _rotation.IsInterleaved ? Neighbors(load, Factors(_table, position, 0, isTurned), Factors(_table, position, sizeof(float) * Half, isTurned))
            : Halves(load, Factors(_table, position, 0, isTurned), Factors(_tableSecond, position, 0, isTurned));
    }

    private Reg[] Factors(Reg table, Reg position, int offset, Reg where)
        => GemmElements.Load(_w, GpuType.Float32, _w.MadWide(position, _strideTable, table), offset, _rotation.IsInterleaved ? _count / 2 : _count, where);

    private Reg[] Neighbors(Func<bool, Reg[]> load, Reg[] cos, Reg[] sin)
    {
        Reg[] own = load(false), turned = new Reg[_count];
        for (int i = 0; i < _count; i += 2)
        {
            turned[i] = Chosen(_w.Mad(own[i], cos[i / 2], _w.Negate(_w.Mul(own[i + 1], sin[i / 2]))), own[i]);
            turned[i + 1] = Chosen(_w.Mad(own[i], sin[i / 2], _w.Mul(own[i + 1], cos[i / 2])), own[i + 1]);
        }

        return turned;
    }

    private Reg[] Halves(Func<bool, Reg[]> load, Reg[] ofFirst, Reg[] ofSecond)
    {
        Reg[] first = load(false), second = load(true), turned = new Reg[_count];
        for (int i = 0; i < _count; i++)
        {
            turned[i] = Chosen(_w.Mad(first[i], ofFirst[i], _w.Mul(second[i], _w.Mul(ofSecond[i], _sign))), first[i]);
        }

        return turned;
    }

    private Reg Chosen(Reg turned, Reg own) => _w.Select(_isTurned, turned, own, RegKind.F32);

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
