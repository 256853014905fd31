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
                bias[i] = GemmElements.Load(_w, biasType, address, i * biasType.Size(), 1)[0];
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
        Reg[] values = Scale(place.Bias, sums);
        if (_spec.Residual is null && !_spec.Accumulate)
        {
            // What touches no memory is done for rows that are not there too: a predicate on each instruction costs registers.
            GemmElements.Store(_w, _spec.Output, y, 0, values, inside);
            return;
        }

        using (_w.When(inside))
        {
            if (_spec.Residual is { } type)
            {
                GemmElements.Round(_w, _spec.Output, values);
                GemmElements.AddTo(_w, values, GemmElements.Load(_w, type, _w.MadWide(row, _strideResidual, place.Residual), 0, values.Length));
            }

            if (_spec.Accumulate)
            {
                GemmElements.AddTo(_w, values, GemmElements.Load(_w, _spec.Output, y, 0, values.Length));
            }

            GemmElements.Store(_w, _spec.Output, y, 0, values);
        }
    }

    /// <summary>alpha · sums (+ bias, where there is one).</summary>
    public Reg[] Scale(Reg[] bias, ReadOnlySpan<Reg> sums)
    {
        var values = new Reg[sums.Length];
        for (int i = 0; i < values.Length; i++)
        {
            // Said to be rounded, it is not contracted with the addition of a residual.
            values[i] = bias.Length > 0 ? _w.Mad(sums[i], _alpha, bias[i]) : _w.Op(RegKind.F32, "mul.rn.f32", sums[i], _alpha);
        }

        return values;
    }

    /// <summary>Addresses of y, of the residual and of the bias at a row and column, where there are such.</summary>
    public (Reg Y, Reg Residual, Reg Bias) Addresses(Reg row, Reg column) => (
        _w.MadWide(row, _strideY, _w.MadWide(column, _spec.Output.Size(), _y)),
        _spec.Residual is { } type ? _w.MadWide(row, _strideResidual, _w.MadWide(column, type.Size(), _residual)) : default,
        _spec.Bias is { } bias ? _w.MadWide(column, bias.Size(), _bias) : default);
}
