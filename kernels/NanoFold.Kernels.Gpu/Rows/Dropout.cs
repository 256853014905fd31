using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>y = x times 0 or 1/(1 − rate) (+ y), any strides, the four elements of one call of Philox a thread.</summary>
internal struct DropoutWork<T> : IGpuWork<DropoutWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;

    /// <summary>y, x.</summary>
    public Nest Shape;
    public DropoutDraw Draw;
    public int Accumulate;

    public static void Run(DropoutWork<T> w)
    {
        ulong key = DropoutDraw.Key(w.Draw);
        int four = Grid.IdxX * Group.DimX + Group.IdxX, i = 4 * four;
        if (i >= w.Shape.Count)
        {
            return;
        }

        Vector4<float> factor = DropoutDraw.Factors(w.Draw, key, four);
        One(w, i, factor.A);
        One(w, i + 1, factor.B);
        One(w, i + 2, factor.C);
        One(w, i + 3, factor.D);
    }

    private static void One(in DropoutWork<T> w, int i, float factor)
    {
        if (i >= w.Shape.Count)
        {
            return;
        }

        float value = T.Read(w.X[Nest.At(w.Shape, w.Shape.A, i)]) * factor;
        long at = Nest.At(w.Shape, w.Shape.Y, i);
        w.Y[at] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[at]) + value : value);
    }
}

/// <summary>As <see cref="DropoutWork{T}"/>, over contiguous memory.</summary>
internal struct FourDropoutWork<T> : IGpuWork<FourDropoutWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<Vector4<T>> X, Y;
    public int Fours;
    public DropoutDraw Draw;
    public int Accumulate;

    public static void Run(FourDropoutWork<T> w)
    {
        ulong key = DropoutDraw.Key(w.Draw);
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Fours)
        {
            return;
        }

        Vector4<float> factor = DropoutDraw.Factors(w.Draw, key, i);
        Vector4<T> x = w.X[i], y = default;
        if (w.Accumulate != 0)
        {
            y = w.Y[i];
        }

        y.A = One(w.Accumulate, x.A, factor.A, y.A);
        y.B = One(w.Accumulate, x.B, factor.B, y.B);
        y.C = One(w.Accumulate, x.C, factor.C, y.C);
        y.D = One(w.Accumulate, x.D, factor.D, y.D);
        w.Y[i] = y;
    }

    private static T One(int accumulate, T x, float factor, T y) => T.Write(accumulate != 0 ? T.Read(y) + T.Read(x) * factor : T.Read(x) * factor);
}

/// <summary>How kernels draw what <see cref="DropoutRandom"/> says.</summary>
internal struct DropoutDraw
{
    public ArrayView<long> State;
    public int Stream;
    public uint Threshold;

    /// <summary>Of what is kept.</summary>
    public float Factor;

    /// <summary>The call's key, drawn by one thread of a group; all call.</summary>
    public static ulong Key(in DropoutDraw draw)
    {
        ArrayView<ulong> shared = SharedMemory.Allocate<ulong>(1);
        if (Group.IdxX == 0)
        {
            shared[0] = DropoutRandom.Key((ulong)draw.State[(int)StepSlot.RandomKey], draw.State[(int)StepSlot.Step], draw.State[(int)StepSlot.MicroBatch], draw.Stream);
        }

        Group.Barrier();
        return shared[0];
    }

    /// <summary>Factors of the elements 4 · <paramref name="four"/> and the three after.</summary>
    public static Vector4<float> Factors(in DropoutDraw draw, ulong key, int four)
    {
        (uint x0, uint x1, uint x2, uint x3) = Philox.Next(key, (ulong)four, 0);
        Vector4<float> factors;
        factors.A = x0 >= draw.Threshold ? draw.Factor : 0;
        factors.B = x1 >= draw.Threshold ? draw.Factor : 0;
        factors.C = x2 >= draw.Threshold ? draw.Factor : 0;
        factors.D = x3 >= draw.Threshold ? draw.Factor : 0;
        return factors;
    }
}
