using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Norm;

/// <summary>y = (x − mean) · rsqrt(mean((x − mean)²) + ε) ⊙ gain + bias; without centering the mean is 0.</summary>
internal unsafe struct NormForward : ILaneWork
{
    public RowSpace X;
    public RowSpace Y;
    public void* Gain;
    public void* Bias;
    public void* Statistics;
    public long Rows;
    public int RowsPerItem;
    public int Width;

    /// <summary>What the sum of squares is divided by without centering: the width, or 1 for rows of length 1.</summary>
    public int Divisor;
    public double Epsilon;
    public bool Centered;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long row = item * RowsPerItem, end = Math.Min(row + RowsPerItem, Rows);
        var x = new RowCursor(in X, row);
        var y = new RowCursor(in Y, row);
        for (; row < end; row++, x.Next(), y.Next())
        {
            if (Centered)
            {
                double mean = LaneSum.Of<LaneSum.Plain, V>(x.Pointer, null, null, default, Width) / Width;
                V center = V.Constant(mean);
                double variance = LaneSum.Of<LaneSum.CenteredSquare, V>(x.Pointer, null, null, center, Width) / Width;
                double inverse = 1 / Math.Sqrt(variance + Epsilon);
                Element.Set<V>(Statistics, 2 * row, mean);
                Element.Set<V>(Statistics, 2 * row + 1, inverse);
                LayerRow(x.Pointer, y.Pointer, center, V.Constant(inverse));
            }
            else
            {
                double squares = LaneSum.Of<LaneSum.Square, V>(x.Pointer, null, null, default, Width) / Divisor;
                double inverse = 1 / Math.Sqrt(squares + Epsilon);
                Element.Set<V>(Statistics, row, inverse);
                RmsRow(x.Pointer, y.Pointer, V.Constant(inverse));
            }
        }
    }

    private readonly void RmsRow<V>(void* x, void* y, V inverse)
        where V : struct, ICpuLane<V>
    {
        void* gain = Gain;
        nint i = 0, width = Width;
        for (; i <= width - V.Width; i += V.Width)
        {
            Rms<V, Whole<V>>(x, gain, y, inverse, i, 0);
        }

        if (i < width)
        {
            Rms<V, Part<V>>(x, gain, y, inverse, i, (int)(width - i));
        }
    }

    private readonly void LayerRow<V>(void* x, void* y, V mean, V inverse)
        where V : struct, ICpuLane<V>
    {
        void* gain = Gain, bias = Bias;
        nint i = 0, width = Width;
        for (; i <= width - V.Width; i += V.Width)
        {
            Layer<V, Whole<V>>(x, gain, bias, y, mean, inverse, i, 0);
        }

        if (i < width)
        {
            Layer<V, Part<V>>(x, gain, bias, y, mean, inverse, i, (int)(width - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Rms<V, P>(void* x, void* gain, void* y, V inverse, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V value = P.Load(x, i, count) * inverse;
        P.Store(y, i, count, gain is null ? value : value * P.Load(gain, i, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Layer<V, P>(void* x, void* gain, void* bias, void* y, V mean, V inverse, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V value = (P.Load(x, i, count) - mean) * inverse;
        value = gain is null ? value : value * P.Load(gain, i, count);
        P.Store(y, i, count, bias is null ? value : value + P.Load(bias, i, count));
    }
}
