using ILGPU;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>
/// Softmax of scale · x, a row a group: largest and sum in one pass (Milakov and Gimelshein, arXiv 1805.02867), y in a second. y may be x.
/// Rows that see nothing become 0; what is not a number counts for nothing in the largest and shows up in the sum.
/// </summary>
internal struct SoftmaxWork<T> : IGpuWork<SoftmaxWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;

    /// <summary>Rows: y, x.</summary>
    public Nest Rows;
    public long XStep, YStep;
    public int Length;

    /// <summary>The scale's magnitude, and its sign apart: differences are taken before they are scaled, so that the largest entry's is 0 to the bit.</summary>
    public float Scale, Sign;
    public VisibleView Seen;

    public static void Run(SoftmaxWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX, thread = Group.IdxX;
        long x = Nest.At(w.Rows, w.Rows.A, row), y = Nest.At(w.Rows, w.Rows.Y, row);
        VisibleRow seen = VisibleRow.Of(w.Seen, row / w.Seen.Time, row % w.Seen.Time);
        int end = IntrinsicMath.Max(seen.End, seen.SinkEnd);
        float largest = float.NegativeInfinity, sum = 0;
        for (int j = thread; j < end; j += Group.DimX)
        {
            if (!seen.Sees(j))
            {
                continue;
            }

            float z = w.Sign * T.Read(w.X[x + j * w.XStep]);
            if (z > largest)
            {
                sum = sum * Exp(w.Scale * (largest - z)) + 1;
                largest = z;
            }
            else if (z > float.NegativeInfinity || Bits.IsNaN(z))
            {
                sum += Exp(w.Scale * (z - largest));
            }
        }

        float most = GroupReduce.Max(shared, largest);
        bool isEmpty = most == float.NegativeInfinity;
        float factor = 1 / GroupReduce.Sum(shared, isEmpty ? 0 : sum * Exp(w.Scale * (largest - most)));
        for (int j = thread; j < w.Length; j += Group.DimX)
        {
            float value = 0;
            if (j < end && !isEmpty && seen.Sees(j))
            {
                value = Exp(w.Scale * (w.Sign * T.Read(w.X[x + j * w.XStep]) - most)) * factor;
            }

            w.Y[y + j * w.YStep] = T.Write(value);
        }
    }

    private static float Exp(float x) => GpuLane.Exp(new GpuLane(x)).Value;
}

/// <summary>dx = scale · y ⊙ (dy − Σ dy ⊙ y) (+ dx), a row a group; dx may be y or dy.</summary>
internal struct SoftmaxBackwardWork<T> : IGpuWork<SoftmaxBackwardWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Y, DY, DX;

    /// <summary>Rows: dx, y, dy.</summary>
    public Nest Rows;
    public long YStep, DYStep, DXStep;
    public int Length;
    public float Scale;
    public int Accumulate;

    public static void Run(SoftmaxBackwardWork<T> w)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GroupReduce.Most);
        int row = Grid.IdxX, thread = Group.IdxX;
        long y = Nest.At(w.Rows, w.Rows.A, row), dy = Nest.At(w.Rows, w.Rows.B, row), dx = Nest.At(w.Rows, w.Rows.Y, row);
        float sum = 0;
        for (int j = thread; j < w.Length; j += Group.DimX)
        {
            sum += T.Read(w.Y[y + j * w.YStep]) * T.Read(w.DY[dy + j * w.DYStep]);
        }

        float dot = GroupReduce.Sum(shared, sum);
        for (int j = thread; j < w.Length; j += Group.DimX)
        {
            float value = w.Scale * T.Read(w.Y[y + j * w.YStep]) * (T.Read(w.DY[dy + j * w.DYStep]) - dot);
            long at = dx + j * w.DXStep;
            w.DX[at] = T.Write(w.Accumulate != 0 ? T.Read(w.DX[at]) + value : value);
        }
    }
}
