using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Pointwise;

/// <summary>Copies with any strides, between types of real numbers, and fills.</summary>
internal static class Copies
{
    public static void Copy(GpuContext context, in View x, in View y, bool accumulate)
    {
        if (x.Type == y.Type && !accumulate)
        {
            Move(context, x, y);
            return;
        }

        if (x.Type == y.Type)
        {
            Map.Run(context, default(Identity), x, x, x, y, accumulate);
            return;
        }

        ByElement.Run("copy", x, y, new Conversion(context, x, y, accumulate));
    }

    public static void Fill(GpuContext context, in View y, double value)
    {
        switch (y.Type)
        {
            case DType.Float64:
                Fill(context, y, BitConverter.DoubleToInt64Bits(value));
                break;
            case DType.Float32:
                Fill(context, y, (float)value);
                break;
            case DType.Int32:
                Fill(context, y, (int)value);
                break;
            case DType.BFloat16:
                Fill(context, y, BF16.Write((float)value));
                break;
            default:
                Fill(context, y, F16.Write((float)value));
                break;
        }
    }

    private static void Fill<T>(GpuContext context, in View y, T value)
        where T : unmanaged
    {
        if (Vectors.IsFlat(y, y))
        {
            View fours = y.With(Layout.Of(checked((int)(y.Count / 4))));
            context.LaunchThreads(
                new FillWork<Vector4<T>> { Shape = Nest.Of(fours.Layout), Y = Vectors.Of<T>(context, y), Value = new Vector4<T> { A = value, B = value, C = value, D = value } },
                fours.Count);
            return;
        }

        context.LaunchThreads(new FillWork<T> { Shape = Nest.Of(y.Layout), Y = context.View<T>(y), Value = value }, y.Count);
    }

    private static void Move(GpuContext context, in View x, in View y)
    {
        if (context.VectorMap?.TryRun(default(Identity), x, x, x, y, false, y, false) == true)
        {
            return;
        }

        switch (y.Type.Size())
        {
            case 8:
                Move<long>(context, x, y);
                break;
            case 4:
                Move<int>(context, x, y);
                break;
            default:
                Move<short>(context, x, y);
                break;
        }
    }

    private static void Move<T>(GpuContext context, in View x, in View y)
        where T : unmanaged
    {
        if (IsInUnits(x, y) && IsInUnits(y, y))
        {
            ArrayView<Vector4<int>> from = context.View<T>(x).Cast<Vector4<int>>(), to = context.View<T>(y).Cast<Vector4<int>>();
            context.Launch(new FlatMoveWork { X = from, Y = to, Units = checked((int)to.Length) }, FlatMoveWork.Groups((int)to.Length, context.GroupSize), context.GroupSize);
            return;
        }

        if (Vectors.IsFlat(x, y) && Vectors.IsFlat(y, y))
        {
            Layout fours = Layout.Of(checked((int)(y.Count / 4)));
            context.LaunchThreads(
                new MoveWork<Vector4<T>> { Shape = Nest.Of(fours, fours), X = Vectors.Of<T>(context, x), Y = Vectors.Of<T>(context, y) }, fours.Count);
            return;
        }

        context.LaunchThreads(
            new MoveWork<T> { Shape = Nest.Of(y.Layout, x.Layout), X = context.View<T>(x), Y = context.View<T>(y) }, y.Count);
    }

    /// <summary>Contiguous, and in whole units from an aligned one on.</summary>
    private static bool IsInUnits(in View x, in View y)
    {
        int size = x.Type.Size();
        return x.Layout.IsContiguous && x.Count == y.Count && x.Count * size % FlatMoveWork.UnitBytes == 0 && x.Offset * size % FlatMoveWork.UnitBytes == 0;
    }

    private readonly struct Conversion(GpuContext context, View x, View y, bool accumulate) : IElementPairBody
    {
        public void Run<TFrom, TTo>()
            where TFrom : unmanaged, IElement<TFrom>
            where TTo : unmanaged, IElement<TTo>
        {
            int add = accumulate ? 1 : 0;
            if (Vectors.IsFlat(x, y) && Vectors.IsFlat(y, y))
            {
                int fours = checked((int)(y.Count / 4));
                context.LaunchThreads(new FlatCopyWork<TFrom, TTo> { X = Vectors.Of<TFrom>(context, x), Y = Vectors.Of<TTo>(context, y), Fours = fours, Accumulate = add }, fours);
                return;
            }

            context.LaunchThreads(
                new CopyWork<TFrom, TTo> { Shape = Nest.Of(y.Layout, x.Layout), X = context.View<TFrom>(x), Y = context.View<TTo>(y), Accumulate = add }, y.Count);
        }
    }
}
