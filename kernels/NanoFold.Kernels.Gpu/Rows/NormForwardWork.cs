using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// y = (x − mean) · rsqrt(mean((x − mean)²) + ε) ⊙ gain + bias; without centring the mean is 0. A run of lanes has a row: it keeps the first two pieces
/// of a lane, and reads what is longer again, from the caches.
/// </summary>
internal struct NormForwardWork<T, TPiece> : IGpuWork<NormForwardWork<T, TPiece>>
    where T : unmanaged, IElement<T>
    where TPiece : struct, IPiece
{
    /// <summary>The rows: where they begin in x (A) and y (Y).</summary>
    public Shape Shape;
    public ArrayView<T> X, Y, Gain, Bias;
    public ArrayView<float> Statistics;
    public int Width, Lanes;
    public int IsCentered, HasGain, HasBias;
    public float Epsilon;

    public static void Run(NormForwardWork<T, TPiece> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int lanes = w.Lanes, lane = Group.IdxX & (lanes - 1);
        int row = Grid.IdxX * (Group.DimX / lanes) + Group.IdxX / lanes;
        // Lanes behind the last row have one without elements: they only take part in the barriers.
        int width = row < w.Shape.Count ? w.Width : 0;
        row = IntrinsicMath.Min(row, w.Shape.Count - 1);
        long at = Shape.At(w.Shape, w.Shape.A, row);
        Quad first = TPiece.Load(w.X, at, lane, width), second = TPiece.Load(w.X, at, lane + lanes, width);
        // Loaded before the sums are there.
        Quad gain0 = GainAt(w, lane), gain1 = GainAt(w, lane + lanes), bias0 = BiasAt(w, lane), bias1 = BiasAt(w, lane + lanes);
        float mean = 0;
        if (w.IsCentered != 0)
        {
            float sum = Quad.Sum(first) + Quad.Sum(second);
            for (int i = lane + 2 * lanes; 4 * i < width; i += lanes)
            {
                sum += Quad.Sum(TPiece.Load(w.X, at, i, width));
            }

            mean = LaneReduce.Sum(shared, sum, lanes) / w.Width;
        }

        first = Quad.Centered(first, mean, width - 4 * lane);
        second = Quad.Centered(second, mean, width - 4 * (lane + lanes));
        float squares = Quad.Dot(first, first) + Quad.Dot(second, second);
        for (int i = lane + 2 * lanes; 4 * i < width; i += lanes)
        {
            Quad x = Quad.Centered(TPiece.Load(w.X, at, i, width), mean, width - 4 * i);
            squares += Quad.Dot(x, x);
        }

        float inverse = 1 / MathF.Sqrt(LaneReduce.Sum(shared, squares, lanes) / w.Width + w.Epsilon);
        if (lane == 0 && width > 0)
        {
            if (w.IsCentered != 0)
            {
                w.Statistics[2L * row] = mean;
                w.Statistics[2L * row + 1] = inverse;
            }
            else
            {
                w.Statistics[row] = inverse;
            }
        }

        long target = Shape.At(w.Shape, w.Shape.Y, row);
        TPiece.Store(w.Y, target, lane, width, first * inverse * gain0 + bias0);
        TPiece.Store(w.Y, target, lane + lanes, width, second * inverse * gain1 + bias1);
        for (int i = lane + 2 * lanes; 4 * i < width; i += lanes)
        {
            Quad x = Quad.Centered(TPiece.Load(w.X, at, i, width), mean, width - 4 * i);
            TPiece.Store(w.Y, target, i, width, x * inverse * GainAt(w, i) + BiasAt(w, i));
        }
    }

    private static Quad GainAt(NormForwardWork<T, TPiece> w, int piece) => w.HasGain != 0 ? TPiece.Load(w.Gain, 0, piece, w.Width) : Quad.All(1);

    private static Quad BiasAt(NormForwardWork<T, TPiece> w, int piece) => w.HasBias != 0 ? TPiece.Load(w.Bias, 0, piece, w.Width) : default;
}
