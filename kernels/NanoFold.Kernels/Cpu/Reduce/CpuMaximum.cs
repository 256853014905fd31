using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>The largest elements along an axis on the CPU: along a row that lies in one piece lane by lane, elsewhere lines side by side.</summary>
public sealed class CpuMaximum(CpuContext context) : IKernel<MaximumCall>
{
    public void Run(in MaximumCall call)
    {
        call.Check();
        AxisLines<Body>.Run(context, new Body(call.X.Layout[call.Axis], call.X.Layout.Stride(call.Axis)), call.Axis, call.X, call.Y, call.Indices);
    }

    private readonly unsafe struct Body(int length, long stride) : ILineBody
    {
        /// <summary>Indices are counted in lanes of floats.</summary>
        private const int MostCounted = 1 << 24;

        public static bool HasLanes => true;

        public void Line<V>(byte* x, byte* y, byte* z)
            where V : struct, ICpuLane<V>
        {
            int at = stride == 1 && length >= 2 * V.Width ? Dense<V>(x) : Any<V>(x);
            Element.Set<V>(y, 0, Element.Get<V>(x, at * stride));
            if (z is not null)
            {
                *(int*)z = at;
            }
        }

        public void Lanes<V, P>(byte* x, byte* y, byte* z, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
        {
            V best = V.Constant(double.NegativeInfinity), at = V.Constant(0), notNumbers = at, zero = at;
            if (length <= MostCounted)
            {
                for (int i = 0; i < length; i++)
                {
                    V value = P.Load(x, i * (nint)stride, count);
                    at = V.SelectGreater(value, best, V.Constant(i), at);
                    best = V.SelectGreater(value, best, value, best);
                    notNumbers += NotNumber(value, zero);
                }

                P.Store(y, 0, count, best);
            }

            byte* lane = stackalloc byte[2 * LaneBytes];
            V.Store(lane, 0, at);
            V.Store(lane + LaneBytes, 0, notNumbers);
            for (int i = 0; i < count; i++)
            {
                byte* index = z is null ? null : z + i * sizeof(int);
                if (length > MostCounted || double.IsNaN(Element.Get<V>(lane + LaneBytes, i)))
                {
                    Line<V>(x + i * V.Type.Size(), y + i * V.Type.Size(), index);
                }
                else if (index is not null)
                {
                    *(int*)index = (int)Element.Get<V>(lane, i);
                }
            }
        }

        /// <summary>Bytes of a lane.</summary>
        private const int LaneBytes = 64;

        /// <summary>0, or what is not a number.</summary>
        private static V NotNumber<V>(V value, V zero)
            where V : struct, ICpuLane<V>
            => V.SelectGreater(value, zero, zero, V.SelectGreater(zero, value, zero, value));

        /// <summary>The largest first, then where it lies.</summary>
        private int Dense<V>(byte* x)
            where V : struct, ICpuLane<V>
        {
            V best = V.Constant(double.NegativeInfinity), notNumbers = V.Constant(0), zero = notNumbers;
            int i = 0;
            for (; i <= length - V.Width; i += V.Width)
            {
                V value = V.Load(x, i);
                best = V.Max(value, best);
                notNumbers += NotNumber(value, zero);
            }

            if (i < length)
            {
                // The last elements once more, so that nothing else counts.
                V value = V.Load(x, length - V.Width);
                best = V.Max(value, best);
                notNumbers += NotNumber(value, zero);
            }

            double largest = V.Largest(best);
            if (double.IsNaN(V.Sum(notNumbers)))
            {
                return Any<V>(x);
            }

            int at = 0;
            while (Element.Get<V>(x, at) != largest)
            {
                at++;
            }

            return at;
        }

        private int Any<V>(byte* x)
            where V : struct, ICpuLane<V>
        {
            int at = 0;
            double best = Element.Get<V>(x, 0);
            for (int i = 1; i < length && !double.IsNaN(best); i++)
            {
                double value = Element.Get<V>(x, i * stride);
                if (value > best || double.IsNaN(value))
                {
                    best = value;
                    at = i;
                }
            }

            return at;
        }
    }
}
