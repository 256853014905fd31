using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>Running sums along an axis on the CPU: a line by itself in double precision, lines side by side with compensated additions (Kahan).</summary>
public sealed class CpuCumulativeSum(CpuContext context) : IKernel<CumulativeSumCall>
{
    public void Run(in CumulativeSumCall call)
    {
        call.Check();
        var body = new Body
        {
            Length = call.X.Layout[call.Axis],
            X = (nint)call.X.Layout.Stride(call.Axis),
            Y = (nint)call.Y.Layout.Stride(call.Axis),
            Exclusive = call.Exclusive,
            Reverse = call.Reverse,
            Accumulate = call.Accumulate,
        };
        AxisLines<Body>.Run(context, body, call.Axis, call.X, call.Y);
    }

    private unsafe struct Body : ILineBody
    {
        public int Length;
        public nint X;
        public nint Y;
        public bool Exclusive;
        public bool Reverse;
        public bool Accumulate;

        public static bool HasLanes => true;

        public readonly void Line<V>(byte* x, byte* y, byte* z)
            where V : struct, ICpuLane<V>
        {
            double sum = 0;
            for (int i = 0; i < Length; i++)
            {
                nint at = Reverse ? Length - 1 - i : i;
                double before = sum;
                sum += Element.Get<V>(x, at * X);
                double value = Exclusive ? before : sum;
                Element.Set<V>(y, at * Y, Accumulate ? Element.Get<V>(y, at * Y) + value : value);
            }
        }

        public readonly void Lanes<V, P>(byte* x, byte* y, byte* z, int count)
            where V : struct, ICpuLane<V>
            where P : struct, IPiece<V>
        {
            V sum = V.Constant(0), lost = sum;
            for (int i = 0; i < Length; i++)
            {
                nint at = Reverse ? Length - 1 - i : i;
                V before = sum, value = P.Load(x, at * X, count) - lost;
                sum += value;
                lost = sum - before - value;
                V result = Exclusive ? before : sum;
                P.Store(y, at * Y, count, Accumulate ? P.Load(y, at * Y, count) + result : result);
            }
        }
    }
}
