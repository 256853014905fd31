using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// y = alpha · sums (+ bias) (+ residual) (+ y), for a few adjacent columns of one row at a time. What a residual is added to is rounded to y's type before.
/// </summary>
internal sealed class GemmEpilogue
{
    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly Reg _alpha;
    private readonly Reg _y;
    private readonly Reg _residual;
    private readonly Reg _bias;
    private readonly Reg _strideY;
    private readonly Reg _strideResidual;
    private readonly Reg _rows;
    private readonly Reg _columns;

    public GemmEpilogue(PtxWriter w, in GemmSpec spec, GemmBlock block)
        : this(w, spec, block.Results(), block.Rows, block.Columns)
    {
    }

    public GemmEpilogue(PtxWriter w, in GemmSpec spec, (Reg Y, Reg Residual) results, Reg rows, Reg columns)
    {
        (_w, _spec, (_y, _residual), _rows, _columns) = (w, spec, results, rows, columns);
        _alpha = GemmArguments.Read(w, RegKind.F32, nameof(GemmArguments.Alpha));
        _strideY = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideY));
        _bias = spec.Bias is null ? default : GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Bias));
        _strideResidual = spec.Residual is null ? default : GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideResidual));
    }

    /// <summary>Addresses of some columns, and their bias.</summary>
    internal readonly record struct Place(Reg Y, Reg Residual, Reg[] Bias, Reg? IsInside);

    /// <summary>Goes to <paramref name="narrow"/> where a block's last columns are not whole stores of <paramref name="count"/>.</summary>
    public void BranchUnlessWhole(Reg column, int tileN, int count, string narrow)
    {
        Reg isLast = _w.Compare("gt", _w.Add(column, tileN), _columns), isPart = _w.Compare("ne", _w.And(_columns, count - 1), 0);
        using (_w.When(_w.Both(isLast, isPart)))
        {
            _w.Branch(narrow);
        }
    }

    /// <summary><paramref name="count"/> columns from <paramref name="column"/>: with <paramref name="check"/> all or none of them exist, else all.</summary>
    public Place At(Reg column, int count, bool check)
    {
        Reg? inside = check ? _w.Compare("lt", column, _columns) : null;
        Reg y = _w.MadWide(column, _spec.Output.Size(), _y);
        Reg residual = _spec.Residual is { } type ? _w.MadWide(column, type.Size(), _residual) : default;
        Reg[] bias = [];
        if (_spec.Bias is { } biasType)
        {
            Reg address = _w.MadWide(check ? _w.Min(column, _w.Sub(_columns, count)) : column, biasType.Size(), _bias);
            bias = new Reg[count];
            for (int i = 0; i < count; i++)
            {
                bias[i] = Load(biasType, address, 1, i * biasType.Size())[0];
            }
        }

        return new Place(y, residual, bias, inside);
    }

    /// <summary>Stores the results of a row's columns, where the row exists.</summary>
    public void Store(in Place place, Reg row, ReadOnlySpan<Reg> sums)
    {
        Reg inside = _w.Compare("lt", row, _rows);
        if (place.IsInside is { } columnInside)
        {
            inside = _w.Both(inside, columnInside);
        }

        Reg y = _w.MadWide(row, _strideY, place.Y);
        var values = new Reg[sums.Length];
        for (int i = 0; i < values.Length; i++)
        {
            // Said to be rounded, it is not contracted with the addition of a residual.
            values[i] = place.Bias.Length > 0 ? _w.Mad(sums[i], _alpha, place.Bias[i]) : _w.Op(RegKind.F32, "mul.rn.f32", sums[i], _alpha);
        }

        if (_spec.Residual is null && !_spec.Accumulate)
        {
            // What touches no memory is done for rows that are not there too: a predicate on each instruction costs registers.
            Reg[] elements = Elements(values);
            using (_w.When(inside))
            {
                Store(y, elements);
            }

            return;
        }

        using (_w.When(inside))
        {
            if (_spec.Residual is { } type)
            {
                RoundToOutput(values);
                AddTo(values, Load(type, _w.MadWide(row, _strideResidual, place.Residual), values.Length));
            }

            if (_spec.Accumulate)
            {
                AddTo(values, Load(_spec.Output, y, values.Length));
            }

            Store(y, Elements(values));
        }
    }

    private void RoundToOutput(Reg[] values)
    {
        GpuType type = _spec.Output;
        if (type == GpuType.Float32)
        {
            return;
        }

        if (values.Length == 1)
        {
            values[0] = _w.Widen(type, _w.Narrow(type, values[0]));
            return;
        }

        for (int i = 0; i < values.Length; i += 2)
        {
            (values[i], values[i + 1]) = _w.Unpack(type, _w.Pack(type, values[i], values[i + 1]));
        }
    }

    private void AddTo(Reg[] values, Reg[] others)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = _w.Add(values[i], others[i]);
        }
    }

    private Reg[] Load(GpuType type, Reg address, int count, int offset = 0)
    {
        if (count == 1)
        {
            return [type == GpuType.Float32 ? _w.LoadGlobal(RegKind.F32, address, offset) : _w.Widen(type, _w.LoadGlobal(RegKind.B16, address, offset))];
        }

        var values = new List<Reg>(count);
        if (type == GpuType.Float32)
        {
            for (int i = 0; i < count; i += 4)
            {
                values.AddRange(_w.LoadGlobal(RegKind.F32, 4, address, offset + 4 * i));
            }

            return [.. values];
        }

        foreach (Reg pair in _w.LoadGlobal(RegKind.B32, count / 2, address, offset))
        {
            (Reg low, Reg high) = _w.Unpack(type, pair);
            values.AddRange([low, high]);
        }

        return [.. values];
    }

    /// <summary>Values as y has them: single elements, or pairs of 16 bits.</summary>
    private Reg[] Elements(Reg[] values)
    {
        GpuType type = _spec.Output;
        return type == GpuType.Float32 ? values
            : values.Length == 1 ? [_w.Narrow(type, values[0])]
            : [.. Enumerable.Range(0, values.Length / 2).Select(i => _w.Pack(type, values[2 * i], values[2 * i + 1]))];
    }

    private void Store(Reg address, Reg[] elements)
    {
        for (int i = 0; i < elements.Length; i += 4)
        {
            _w.StoreGlobal(address, 4 * i, elements.AsSpan(i, Math.Min(4, elements.Length - i)));
        }
    }
}
