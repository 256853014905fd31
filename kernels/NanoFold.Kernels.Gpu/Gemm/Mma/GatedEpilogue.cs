using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Mma;

/// <summary>
/// What is done to the sums of a gated layer, for a few adjacent columns of one row at a time. Forward: [gate up] = alpha · sums (+ bias), and f(gate, up) beside it. Backward:
/// dh = alpha · sums, and [dGate dUp] of gate, up and dh. The formula reads what is rounded to y's type, as if it had been stored and read again.
/// </summary>
internal sealed class GatedEpilogue
{
    private readonly PtxWriter _w;
    private readonly GemmSpec _spec;
    private readonly GemmGate _gate;
    private readonly GemmBlock _block;
    private readonly Reg _alpha, _y, _bias, _gated, _strideY, _strideGated, _apart;

    public GatedEpilogue(PtxWriter w, in GemmSpec spec, GemmBlock block)
    {
        (_w, _spec, _gate, _block) = (w, spec, spec.Gate!.Value, block);
        _y = block.Results().Y;
        _alpha = GemmArguments.Read(w, RegKind.F32, nameof(GemmArguments.Alpha));
        _strideY = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideY));
        _strideGated = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideGated));
        _gated = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Gated));
        _bias = spec.Bias is null ? default : GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Bias));
        _apart = w.MulWide(block.Columns, spec.Output.Size());
    }

    /// <summary>Addresses of some columns, of gates in y, and the biases of both halves.</summary>
    internal readonly record struct Place(Reg Y, Reg Gated, Reg[] GateBias, Reg[] UpBias, Reg IsInside);

    /// <summary><paramref name="count"/> columns from <paramref name="column"/>: all or none of them exist.</summary>
    public Place At(Reg column, int count)
    {
        Reg inside = _w.Compare("lt", column, _block.Columns);
        Reg y = _w.MadWide(column, _spec.Output.Size(), _y), gated = _w.MadWide(column, _spec.Output.Size(), _gated);
        if (_spec.Bias is not { } type)
        {
            return new Place(y, gated, [], [], inside);
        }

        Reg gate = _w.MadWide(_w.Min(column, _w.Sub(_block.Columns, count)), type.Size(), _bias), up = _w.Add(gate, _w.MulWide(_block.Columns, type.Size()));
        return new Place(y, gated, Each(type, gate, count), Each(type, up, count), inside);
    }

    /// <summary>Stores gates, what they multiply and what the formula gives, where the row exists.</summary>
    public void Store(in Place place, Reg row, ReadOnlySpan<Reg> gateSums, ReadOnlySpan<Reg> upSums)
    {
        Reg inside = _w.Both(_w.Compare("lt", row, _block.Rows), place.IsInside), y = _w.MadWide(row, _strideY, place.Y);
        Reg[] gate = Scale(place.GateBias, gateSums), up = Scale(place.UpBias, upSums);
        GemmElements.StoreRounded(_w, _spec.Output, y, 0, gate, inside);
        GemmElements.StoreRounded(_w, _spec.Output, _w.Add(y, _apart), 0, up, inside);
        GemmElements.Store(_w, _spec.Output, _w.MadWide(row, _strideGated, place.Gated), 0, _gate.Values(_w, _spec.Output, gate, up), inside);
    }

    /// <summary>Where gates and what they multiply exist, they are loaded: before the sums are, for memory is far away.</summary>
    public (Reg[] Gate, Reg[] Up) Load(in Place place, Reg row, int count)
    {
        Reg inside = _w.Both(_w.Compare("lt", row, _block.Rows), place.IsInside), gates = _w.MadWide(row, _strideGated, place.Gated);
        return (GemmElements.Load(_w, _spec.Output, gates, 0, count, inside), GemmElements.Load(_w, _spec.Output, _w.Add(gates, _apart), 0, count, inside));
    }

    /// <summary>Stores the gradients of gates and of what they multiply, where the row exists.</summary>
    public void StoreGradients(in Place place, Reg row, (Reg[] Gate, Reg[] Up) loaded, ReadOnlySpan<Reg> sums)
    {
        Reg inside = _w.Both(_w.Compare("lt", row, _block.Rows), place.IsInside), y = _w.MadWide(row, _strideY, place.Y);
        Reg[] dh = Scale([], sums);
        GemmElements.Round(_w, _spec.Output, dh);
        (Reg[] gate, Reg[] up) = _gate.Gradients(_w, _spec.Output, loaded.Gate, loaded.Up, dh);
        GemmElements.Store(_w, _spec.Output, y, 0, gate, inside);
        GemmElements.Store(_w, _spec.Output, _w.Add(y, _apart), 0, up, inside);
    }

    private Reg[] Each(GpuType type, Reg address, int count) => [.. Enumerable.Range(0, count).Select(i => GemmElements.Load(_w, type, address, i * type.Size(), 1)[0])];

    // As GemmEpilogue does it.
    private Reg[] Scale(Reg[] bias, ReadOnlySpan<Reg> sums)
    {
        var values = new Reg[sums.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = bias.Length > 0 ? _w.Mad(sums[i], _alpha, bias[i]) : _w.Mul(sums[i], _alpha);
        }

        return values;
    }
}
