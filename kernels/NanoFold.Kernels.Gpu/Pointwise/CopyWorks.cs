using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>y = x (+ y), from one type of real number to another, any strides.</summary>
internal struct CopyWork<TFrom, TTo> : IGpuWork<CopyWork<TFrom, TTo>>
    where TFrom : unmanaged, IElement<TFrom>
    where TTo : unmanaged, IElement<TTo>
{
    public Nest Shape;
    public ArrayView<TFrom> X;
    public ArrayView<TTo> Y;
    public int Accumulate;

    public static void Run(CopyWork<TFrom, TTo> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Shape.Count)
        {
            return;
        }

        float x = TFrom.Read(w.X[Nest.At(w.Shape, w.Shape.A, i)]);
        long at = Nest.At(w.Shape, w.Shape.Y, i);
        w.Y[at] = TTo.Write(w.Accumulate != 0 ? TTo.Read(w.Y[at]) + x : x);
    }
}

/// <summary>y = x (+ y), from one type of real number to another, contiguous and aligned to four elements, four a thread.</summary>
internal struct FlatCopyWork<TFrom, TTo> : IGpuWork<FlatCopyWork<TFrom, TTo>>
    where TFrom : unmanaged, IElement<TFrom>
    where TTo : unmanaged, IElement<TTo>
{
    public ArrayView<Vector4<TFrom>> X;
    public ArrayView<Vector4<TTo>> Y;
    public int Fours, Accumulate;

    public static void Run(FlatCopyWork<TFrom, TTo> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Fours)
        {
            return;
        }

        Vector4<TFrom> x = w.X[i];
        Vector4<TTo> y = default;
        if (w.Accumulate != 0)
        {
            y = w.Y[i];
        }

        y.A = One(w, x.A, y.A);
        y.B = One(w, x.B, y.B);
        y.C = One(w, x.C, y.C);
        y.D = One(w, x.D, y.D);
        w.Y[i] = y;
    }

    private static TTo One(in FlatCopyWork<TFrom, TTo> w, TFrom x, TTo y)
        => TTo.Write(w.Accumulate != 0 ? TTo.Read(y) + TFrom.Read(x) : TFrom.Read(x));
}

/// <summary>y = x bit by bit, for elements of any type.</summary>
internal struct MoveWork<T> : IGpuWork<MoveWork<T>>
    where T : unmanaged
{
    public Nest Shape;
    public ArrayView<T> X;
    public ArrayView<T> Y;

    public static void Run(MoveWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Shape.Count)
        {
            w.Y[Nest.At(w.Shape, w.Shape.Y, i)] = w.X[Nest.At(w.Shape, w.Shape.A, i)];
        }
    }
}

/// <summary>y = x bit by bit, contiguous, in units of 16 bytes; where there are many, a thread has four of them under way at a time.</summary>
internal struct FlatMoveWork : IGpuWork<FlatMoveWork>
{
    public const int UnitBytes = 16;

    /// <summary>Groups up to which each thread has one unit only: few units are best spread over the device.</summary>
    private const int FewGroups = 512;

    public ArrayView<Vector4<int>> X, Y;
    public int Units;

    public static void Run(FlatMoveWork w)
    {
        long step = (long)Grid.DimX * Group.DimX, i = (long)Grid.IdxX * Group.DimX + Group.IdxX;
        for (; i + 3 * step < w.Units; i += 4 * step)
        {
            Vector4<int> a = w.X[i], b = w.X[i + step], c = w.X[i + 2 * step], d = w.X[i + 3 * step];
            w.Y[i] = a;
            w.Y[i + step] = b;
            w.Y[i + 2 * step] = c;
            w.Y[i + 3 * step] = d;
        }

        for (; i < w.Units; i += step)
        {
            w.Y[i] = w.X[i];
        }
    }

    public static int Groups(int units, int threads)
    {
        int single = (int)(((long)units + threads - 1) / threads);
        return Math.Max(Math.Min(single, FewGroups), (single + 3) / 4);
    }
}

/// <summary>y = the same bits everywhere.</summary>
internal struct FillWork<T> : IGpuWork<FillWork<T>>
    where T : unmanaged
{
    public Nest Shape;
    public ArrayView<T> Y;
    public T Value;

    public static void Run(FillWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Shape.Count)
        {
            w.Y[Nest.At(w.Shape, w.Shape.Y, i)] = w.Value;
        }
    }
}
