using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Norm;

/// <summary>
/// With x̂ = (x − mean) · r and w = dy ⊙ gain: dx = r · (w − mean(w) − x̂ · mean(w ⊙ x̂)), where mean(w) is left out without centering.
/// Each item adds dy ⊙ x̂ and dy over its rows into its own partial sums [2, width].
/// </summary>
internal unsafe struct NormBackward : ILaneWork
{
    public RowSpace X;
    public RowSpace DY;
    public RowSpace DX;
    public void* Gain;
    public void* Statistics;
    public byte* Partials;
    public long Rows;
    public long RowsPerItem;
    public int Width;

    /// <summary>As in the forward pass.</summary>
    public int Divisor;
    public bool HasDX;
    public bool Accumulate;
    public bool Centered;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long row = item * RowsPerItem, end = Math.Min(row + RowsPerItem, Rows);
        byte* dGain = null, dBias = null;
        if (Partials is not null)
        {
            long bytes = (long)Width * V.Type.Size();
            dGain = Partials + item * 2 * bytes;
            dBias = dGain + bytes;
            new Span<byte>(dGain, checked((int)(2 * bytes))).Clear();
        }

        var x = new RowCursor(in X, row);
        var dy = new RowCursor(in DY, row);
        for (long r = row; r < end; r++, x.Next(), dy.Next())
        {
            double mean = Centered ? Element.Get<V>(Statistics, 2 * r) : 0;
            double inverse = Element.Get<V>(Statistics, Centered ? 2 * r + 1 : r);
            // The sums come first: dx may be dy itself.
            if (dGain is not null)
            {
                SumRow(x.Pointer, dy.Pointer, dGain, dBias, V.Constant(mean), V.Constant(inverse));
            }

            if (HasDX)
            {
                InputRow<V>(x.Pointer, dy.Pointer, DX.Row(r), mean, inverse);
            }
        }
    }

    private readonly void InputRow<V>(void* x, void* dy, void* dx, double mean, double inverse)
        where V : struct, ICpuLane<V>
    {
        V center = V.Constant(mean);
        double product = Gain is null
            ? LaneSum.Of<LaneSum.CenteredProduct, V>(x, dy, null, center, Width)
            : LaneSum.Of<LaneSum.CenteredTripleProduct, V>(x, dy, Gain, center, Width);
        double sum = 0;
        if (Centered)
        {
            sum = Gain is null
                ? LaneSum.Of<LaneSum.Plain, V>(dy, null, null, default, Width)
                : LaneSum.Of<LaneSum.Product, V>(dy, Gain, null, default, Width);
        }

        // dx = r·w + slope·(x − mean) + offset
        V scale = V.Constant(inverse);
        V slope = V.Constant(-product / Divisor * inverse * inverse * inverse);
        V offset = V.Constant(-sum / Width * inverse);
        void* gain = Gain;
        bool accumulate = Accumulate;
        nint i = 0, width = Width;
        for (; i <= width - V.Width; i += V.Width)
        {
            Input<V, Whole<V>>(x, gain, dy, dx, center, scale, slope, offset, accumulate, i, 0);
        }

        if (i < width)
        {
            Input<V, Part<V>>(x, gain, dy, dx, center, scale, slope, offset, accumulate, i, (int)(width - i));
        }
    }

    private readonly void SumRow<V>(void* x, void* dy, void* dGain, void* dBias, V mean, V inverse)
        where V : struct, ICpuLane<V>
    {
        nint i = 0, width = Width;
        dBias = Centered ? dBias : null;
        for (; i <= width - V.Width; i += V.Width)
        {
            Sums<V, Whole<V>>(x, dy, dGain, dBias, mean, inverse, i, 0);
        }

        if (i < width)
        {
            Sums<V, Part<V>>(x, dy, dGain, dBias, mean, inverse, i, (int)(width - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Input<V, P>(void* x, void* gain, void* dy, void* dx, V mean, V scale, V slope, V offset, bool accumulate, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V w = P.Load(dy, i, count);
        w = gain is null ? w : w * P.Load(gain, i, count);
        V value = V.MultiplyAdd(w, scale, V.MultiplyAdd(P.Load(x, i, count) - mean, slope, offset));
        P.Store(dx, i, count, accumulate ? P.Load(dx, i, count) + value : value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sums<V, P>(void* x, void* dy, void* dGain, void* dBias, V mean, V inverse, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V gradient = P.Load(dy, i, count);
        P.Store(dGain, i, count, V.MultiplyAdd(gradient * inverse, P.Load(x, i, count) - mean, P.Load(dGain, i, count)));
        if (dBias is not null)
        {
            P.Store(dBias, i, count, gradient + P.Load(dBias, i, count));
        }
    }
}
