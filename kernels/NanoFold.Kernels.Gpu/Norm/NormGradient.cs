using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

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
    public int Width, RowsPerGroup;

    /// <summary>The logarithm of the threads that have a row together.</summary>
    public int LaneBits;
    public int HasGain, HasDX, HasSums, Accumulate;

    public static float Mean<TKind>(in NormGradient<T> n, int row)
        where TKind : struct, INormKind
        => TKind.IsCentered ? n.Statistics[2L * row] : 0;

    public static float Inverse<TKind>(in NormGradient<T> n, int row)
        where TKind : struct, INormKind
        => n.Statistics[TKind.IsCentered ? 2L * row + 1 : row];

    /// <summary>w of some pieces.</summary>
    public static TPieces Gained<TPiece, TPieces>(in NormGradient<T> n, TPieces dy, int index, int lanes)
        where TPiece : struct, IPiece
        where TPieces : struct, IPieces<TPieces>
        => n.HasGain != 0 ? dy * TPieces.Load<T, TPiece>(n.Gain, 0, index, lanes, n.Width) : dy;

    /// <summary>dx of some pieces: r · w + slope · (x − mean) + offset, where the sums are those of w ⊙ (x − mean) and of w.</summary>
    public static void StoreDX<TPiece, TPieces, TKind>(
        in NormGradient<T> n, long row, int index, int lanes, int width, TPieces gained, TPieces centered, float inverse, Two sums)
        where TPiece : struct, IPiece
        where TPieces : struct, IPieces<TPieces>
        where TKind : struct, INormKind
    {
        float slope = -sums.First / n.Width * inverse * inverse * inverse;
        TPieces value = gained * inverse + centered * slope;
        if (TKind.IsCentered)
        {
            value += -sums.Second / n.Width * inverse;
        }

        if (n.Accumulate != 0)
        {
            value += TPieces.Load<T, TPiece>(n.DX, row, index, lanes, width);
        }

        TPieces.Store<T, TPiece>(n.DX, row, index, lanes, width, value);
    }
}
