using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>What is done to a few adjacent sums of a row where a product turns heads by rotary positions: alpha · sums (+ bias), rounded to y's type, is what <see cref="HeadTurn"/> turns.</summary>
internal sealed class RotatedEpilogue
{
    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmEpilogue _epilogue;
    private readonly GemmEpilogue.Place _own, _first, _second;
    private readonly Reg _rows, _strideY;

    /// <param name="w">Of the kernel.</param>
    /// <param name="spec">Its kind.</param>
    /// <param name="block">Where it works.</param>
    /// <param name="column">The first of the columns.</param>
    /// <param name="count">How many.</param>
    public RotatedEpilogue(PtxWriter w, in GemmSpec spec, GemmBlock block, Reg column, int count)
    {
        (_w, _spec, _rows) = (w, spec, block.Rows);
        _epilogue = new GemmEpilogue(w, spec, block);
        _strideY = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideY));
        Turn = new HeadTurn(w, spec.Rotation!.Value, column, count);
        _own = _epilogue.At(column, count, check: true);
        if (!spec.Rotation.Value.IsInterleaved)
        {
            _first = spec.Bias is null ? default : _epilogue.At(w.Add(column, Turn.ToFirst), count, check: true);
            _second = spec.Bias is null ? default : _epilogue.At(w.Add(column, Turn.ToSecond), count, check: true);
        }
    }

    public HeadTurn Turn { get; }

    /// <summary>Stores the results of a row, where it exists.</summary>
    /// <param name="row">Its number.</param>
    /// <param name="load">Loads sums of it: of the first columns of pairs or, where neighbors are, of all; then of the second ones.</param>
    public void Store(Reg row, Func<bool, Reg[]> load)
    {
        Reg inside = _w.Both(_w.Compare("lt", row, _rows), _own.IsInside!.Value);
        Reg[] turned = Turn.Turn(row, inside, isSecond => Rounded(_spec.Rotation!.Value.IsInterleaved ? _own : isSecond ? _second : _first, load(isSecond)));
        GemmElements.Store(_w, _spec.Output, _w.MadWide(row, _strideY, _own.Y), 0, turned, inside);
    }

    private Reg[] Rounded(in GemmEpilogue.Place place, Reg[] sums)
    {
        Reg[] values = _epilogue.Scale(place.Bias ?? [], sums);
        GemmElements.Round(_w, _spec.Output, values);
        return values;
    }
}
