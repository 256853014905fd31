using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>Maps over integers on a GPU, an element a thread.</summary>
internal sealed class GpuIntegers(GpuContext context) : IKernel<IntegerMapCall>, IKernel<IntegerRangeCall>, IKernel<IntegerConversionCall>
{
    public void Run(in IntegerMapCall call)
    {
        call.Check();
        Nest nest = Nest.Of(call.Y.Layout, call.A.Layout, call.B.IsNone ? call.A.Layout : call.B.Layout, call.C.IsNone ? call.A.Layout : call.C.Layout);
        context.LaunchThreads(
            new IntegerMapWork
            {
                A = context.View<int>(call.A), B = context.View<int>(call.B), C = context.View<int>(call.C), Y = context.View<int>(call.Y), Nest = nest,
                Operation = (int)call.Operation, Number = call.Number, HasB = call.B.IsNone ? 0 : 1, HasC = call.C.IsNone ? 0 : 1,
            },
            nest.Count);
    }

    public void Run(in IntegerRangeCall call)
    {
        call.Check();
        int inner = 1;
        for (int after = call.Axis + 1; after < call.Y.Layout.Rank; after++)
        {
            inner *= call.Y.Layout[after];
        }

        context.LaunchThreads(
            new IntegerRangeWork
            {
                Y = context.View<int>(call.Y), Nest = Nest.Of(call.Y.Layout), Inner = inner, Length = call.Y.Layout[call.Axis], Start = call.Start, Step = call.Step,
            },
            call.Y.Count);
    }

    public void Run(in IntegerConversionCall call)
    {
        call.Check();
        ByElement.Run(IntegerConversionCall.Name, call.X.Type.IsReal() ? call.X : call.Y, new Conversion(context, call));
    }

    private readonly struct Conversion(GpuContext context, IntegerConversionCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            Nest nest = Nest.Of(call.Y.Layout, call.X.Layout);
            bool toReal = call.Y.Type.IsReal();
            context.LaunchThreads(
                new IntegerConversionWork<T>
                {
                    Real = context.View<T>(toReal ? call.Y : call.X), Integer = context.View<int>(toReal ? call.X : call.Y), Nest = nest, ToReal = toReal ? 1 : 0,
                },
                nest.Count);
        }
    }
}

/// <summary>y = operation(a, b, c).</summary>
internal struct IntegerMapWork : IGpuWork<IntegerMapWork>
{
    public ArrayView<int> A, B, C, Y;
    public Nest Nest;
    public int Operation, Number, HasB, HasC;

    public static void Run(IntegerMapWork w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Nest.Count)
        {
            return;
        }

        int a = w.A[Nest.At(w.Nest, w.Nest.A, i)], b = w.Number, c = w.Number;
        if (w.HasB != 0)
        {
            b = w.B[Nest.At(w.Nest, w.Nest.B, i)];
        }

        if (w.HasC != 0)
        {
            c = w.C[Nest.At(w.Nest, w.Nest.C, i)];
        }

        // Chosen here, not in a function of its own: OpenCL's kernels would call it.
        int y = a != 0 ? b : c;
        y = w.Operation == (int)IntegerOperation.Add ? a + b : y;
        y = w.Operation == (int)IntegerOperation.Subtract ? a - b : y;
        y = w.Operation == (int)IntegerOperation.Multiply ? a * b : y;
        y = w.Operation == (int)IntegerOperation.Minimum ? IntrinsicMath.Min(a, b) : y;
        y = w.Operation == (int)IntegerOperation.Maximum ? IntrinsicMath.Max(a, b) : y;
        y = w.Operation == (int)IntegerOperation.Less ? (a < b ? 1 : 0) : y;
        y = w.Operation == (int)IntegerOperation.Equal ? (a == b ? 1 : 0) : y;
        w.Y[Nest.At(w.Nest, w.Nest.Y, i)] = y;
    }
}

/// <summary>y = start + step · index along an axis, of which <see cref="Inner"/> elements have one index.</summary>
internal struct IntegerRangeWork : IGpuWork<IntegerRangeWork>
{
    public ArrayView<int> Y;
    public Nest Nest;
    public int Inner, Length, Start, Step;

    public static void Run(IntegerRangeWork w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i < w.Nest.Count)
        {
            w.Y[Nest.At(w.Nest, w.Nest.Y, i)] = w.Start + w.Step * (i / w.Inner % w.Length);
        }
    }
}

/// <summary>Integers to real numbers, or back.</summary>
internal struct IntegerConversionWork<T> : IGpuWork<IntegerConversionWork<T>>
    where T : unmanaged, IElement<T>
{
    public ArrayView<T> Real;
    public ArrayView<int> Integer;
    public Nest Nest;
    public int ToReal;

    public static void Run(IntegerConversionWork<T> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= w.Nest.Count)
        {
            return;
        }

        long x = Nest.At(w.Nest, w.Nest.A, i), y = Nest.At(w.Nest, w.Nest.Y, i);
        if (w.ToReal != 0)
        {
            w.Real[y] = T.Write(w.Integer[x]);
        }
        else
        {
            w.Integer[y] = (int)T.Read(w.Real[x]);
        }
    }
}
