using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rows;

/// <summary>Takes elements by index along an axis, and puts them back, on the CPU: a line at a time.</summary>
public sealed class CpuAlong(CpuContext context) : IKernel<TakeAlongCall>, IKernel<PlaceAlongCall>
{
    public void Run(in TakeAlongCall call)
    {
        call.Check();
        AxisLines<Taking>.Run(context, new Taking(new Line(call.X, call.Y, call.Indices, call.Axis), call.Accumulate), call.Axis, call.X, call.Y, call.Indices);
    }

    public void Run(in PlaceAlongCall call)
    {
        call.Check();
        AxisLines<Placing>.Run(context, new Placing(new Line(call.X, call.Y, call.Indices, call.Axis), call.Accumulate), call.Axis, call.X, call.Y, call.Indices);
    }

    private readonly struct Line(in View x, in View y, in View indices, int axis)
    {
        public long X { get; } = x.Layout.Stride(axis);

        public long Y { get; } = y.Layout.Stride(axis);

        public long Index { get; } = indices.Layout.Stride(axis);

        public int XLength { get; } = x.Layout[axis];

        public int YLength { get; } = y.Layout[axis];
    }

    private readonly unsafe struct Taking(Line line, bool accumulate) : ILineBody
    {
        public static bool HasLanes => false;

        public void Line<V>(byte* x, byte* y, byte* z)
            where V : struct, ICpuLane<V>
        {
            for (int j = 0; j < line.YLength; j++)
            {
                int index = ((int*)z)[j * line.Index];
                double value = (uint)index < (uint)line.XLength ? Element.Get<V>(x, index * line.X) : 0;
                Element.Set<V>(y, j * line.Y, accumulate ? Element.Get<V>(y, j * line.Y) + value : value);
            }
        }

        public void Lanes<V, P>(byte* x, byte* y, byte* z, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
            => throw new NotSupportedException();
    }

    private readonly unsafe struct Placing(Line line, bool accumulate) : ILineBody
    {
        public static bool HasLanes => false;

        public void Line<V>(byte* x, byte* y, byte* z)
            where V : struct, ICpuLane<V>
        {
            for (int i = 0; !accumulate && i < line.YLength; i++)
            {
                Element.Set<V>(y, i * line.Y, 0);
            }

            for (int j = 0; j < line.XLength; j++)
            {
                int index = ((int*)z)[j * line.Index];
                if ((uint)index < (uint)line.YLength)
                {
                    Element.Set<V>(y, index * line.Y, Element.Get<V>(y, index * line.Y) + Element.Get<V>(x, j * line.X));
                }
            }
        }

        public void Lanes<V, P>(byte* x, byte* y, byte* z, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
            => throw new NotSupportedException();
    }
}
