using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>The largest element of each line, and where it lies.</summary>
internal struct MaximumWork<T> : IGpuWork<MaximumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;
    public ArrayView<int> Indices;
    public Nest Lines;
    public int Length, HasIndices;
    public long Stride;

    public static void Run(MaximumWork<T> w)
    {
        int line = Grid.IdxX * Group.DimX + Group.IdxX;
        if (line >= w.Lines.Count)
        {
            return;
        }

        long x = Nest.At(w.Lines, w.Lines.A, line);
        float best = T.Read(w.X[x]);
        int at = 0;
        for (int i = 1; i < w.Length; i++)
        {
            float value = T.Read(w.X[x + i * w.Stride]);
            if (!Bits.IsNaN(best) & (Bits.IsGreater(value, best) | Bits.IsNaN(value)))
            {
                best = value;
                at = i;
            }
        }

        w.Y[Nest.At(w.Lines, w.Lines.Y, line)] = w.X[x + at * w.Stride];
        if (w.HasIndices != 0)
        {
            w.Indices[Nest.At(w.Lines, w.Lines.B, line)] = at;
        }
    }
}

/// <summary>Running sums of each line, in double precision.</summary>
internal struct CumulativeSumWork<T> : IGpuWork<CumulativeSumWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;
    public Nest Lines;
    public long XStride, YStride;
    public int Length, Exclusive, Reverse, Accumulate;

    public static void Run(CumulativeSumWork<T> w)
    {
        int line = Grid.IdxX * Group.DimX + Group.IdxX;
        if (line >= w.Lines.Count)
        {
            return;
        }

        long x = Nest.At(w.Lines, w.Lines.A, line), y = Nest.At(w.Lines, w.Lines.Y, line);
        double sum = 0;
        for (int i = 0; i < w.Length; i++)
        {
            int place = w.Reverse != 0 ? w.Length - 1 - i : i;
            double before = sum;
            sum += T.Read(w.X[x + place * w.XStride]);
            float value = (float)(w.Exclusive != 0 ? before : sum);
            long at = y + place * w.YStride;
            w.Y[at] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[at]) + value : value);
        }
    }
}

/// <summary>An element of y is that of x at its index; 0 where there is none.</summary>
internal struct TakeAlongWork<T> : IGpuWork<TakeAlongWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;
    public ArrayView<int> Indices;
    public Nest Elements;
    public int Length, Accumulate;
    public long Stride;

    public static void Run(TakeAlongWork<T> w)
    {
        int element = Grid.IdxX * Group.DimX + Group.IdxX;
        if (element >= w.Elements.Count)
        {
            return;
        }

        int index = w.Indices[Nest.At(w.Elements, w.Elements.A, element)];
        float value = 0;
        if (index >= 0 && index < w.Length)
        {
            value = T.Read(w.X[Nest.At(w.Elements, w.Elements.B, element) + index * w.Stride]);
        }

        long at = Nest.At(w.Elements, w.Elements.Y, element);
        w.Y[at] = T.Write(w.Accumulate != 0 ? T.Read(w.Y[at]) + value : value);
    }
}

/// <summary>The elements of a line of x are added to those of y at their indices, in order.</summary>
internal struct PlaceAlongWork<T> : IGpuWork<PlaceAlongWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> X, Y;
    public ArrayView<int> Indices;
    public Nest Lines;
    public int Count, Length;
    public long XStride, YStride, IndexStride;

    public static void Run(PlaceAlongWork<T> w)
    {
        int line = Grid.IdxX * Group.DimX + Group.IdxX;
        if (line >= w.Lines.Count)
        {
            return;
        }

        long x = Nest.At(w.Lines, w.Lines.A, line), y = Nest.At(w.Lines, w.Lines.Y, line), indices = Nest.At(w.Lines, w.Lines.B, line);
        for (int i = 0; i < w.Count; i++)
        {
            int index = w.Indices[indices + i * w.IndexStride];
            if (index >= 0 && index < w.Length)
            {
                long at = y + index * w.YStride;
                w.Y[at] = T.Write(T.Read(w.Y[at]) + T.Read(w.X[x + i * w.XStride]));
            }
        }
    }
}
