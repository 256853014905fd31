using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// Operands of a norm's backward pass. With x̂ = (x − mean) · r and w = dy ⊙ gain: dx = r · (w − mean(w) − x̂ · mean(w ⊙ x̂)), where mean(w) is left out
/// without centring. Each group goes through some rows and writes its sums of dy ⊙ x̂ and of dy, the partial sums [2, width].
/// </summary>
internal struct NormGradient<T>
    where T : unmanaged, IElement<T>
{
    /// <summary>The rows: where they begin in x (A), dy (B) and dx (Y).</summary>
    public Shape Shape;
    public ArrayView<T> X, DY, DX, Gain;
    public ArrayView<float> Statistics;
    public ArrayView<F32> Partials;
    public int Width, Lanes, RowsPerGroup;
    public int IsCentered, HasGain, HasDX, HasSums, Accumulate;

    public static float Mean(in NormGradient<T> n, int row) => n.IsCentered != 0 ? n.Statistics[2L * row] : 0;

    public static float Inverse(in NormGradient<T> n, int row) => n.IsCentered != 0 ? n.Statistics[2L * row + 1] : n.Statistics[row];

    /// <summary>w of a piece.</summary>
    public static Quad Gained<TPiece>(in NormGradient<T> n, Quad dy, int piece)
        where TPiece : struct, IPiece
        => n.HasGain != 0 ? dy * TPiece.Load(n.Gain, 0, piece, n.Width) : dy;

    /// <summary>dx of a piece: r · w + slope · (x − mean) + offset, where the sums are those of w ⊙ (x − mean) and of w.</summary>
    public static void StoreDX<TPiece>(in NormGradient<T> n, long row, int piece, int width, Quad gained, Quad centered, float inverse, Two sums)
        where TPiece : struct, IPiece
    {
        float slope = -sums.First / n.Width * inverse * inverse * inverse;
        float offset = n.IsCentered != 0 ? -sums.Second / n.Width * inverse : 0;
        Quad value = gained * inverse + centered * slope + offset;
        if (n.Accumulate != 0)
        {
            value += TPiece.Load(n.DX, row, piece, width);
        }

        TPiece.Store(n.DX, row, piece, width, value);
    }
}
