using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Rope;

/// <summary>Rows of a table of rotary positions on the CPU: a work item is a text of the batch.</summary>
public sealed unsafe class CpuRopeRows(CpuContext context) : IKernel<RopeRowsCall>
{
    public void Run(in RopeRowsCall call)
    {
        call.Check();
        int batch = call.Positions.Layout[0];
        var work = new Work
        {
            Turns = (byte*)call.Turns.Address,
            Y = (byte*)call.Y.Address,
            Positions = call.Positions.Ints,
            Lengths = call.Lengths.Ints,
            TurnsStride = call.Turns.Layout.Stride(0),
            LastRow = call.Turns.Layout[0] - 1,
            First = call.First,
            Time = call.Y.Layout[0] / batch,
            Half = call.Y.Layout[1] / 2,
            Factor = call.Factor,
        };
        context.Run(call.Y.Type, batch, ref work);
    }

    private struct Work : ILaneWork
    {
        public byte* Turns;
        public byte* Y;
        public int* Positions;
        public int* Lengths;
        public long TurnsStride;
        public long LastRow;
        public int First;
        public int Time;
        public int Half;
        public double Factor;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            byte* turns = Turns + (Math.Clamp((long)Lengths[item] - First, 0, LastRow) * TurnsStride * V.Type.Size());
            for (int t = 0; t < Time; t++)
            {
                nint row = (nint)((item * Time) + t) * 2 * Half;
                long position = (long)Positions[item] + t;
                for (int i = 0; i < Half; i++)
                {
                    long turn = ((long)Element.Get<V>(turns, i) << 24) | (long)Element.Get<V>(turns, Half + i);
                    (double sin, double cos) = PortableMath.SinCosForSingle(2 * Math.PI / RopeRowsCall.Turn * (position * turn & (RopeRowsCall.Turn - 1)), Factor);
                    Element.Set<V>(Y, row + i, cos);
                    Element.Set<V>(Y, row + Half + i, sin);
                }
            }
        }
    }
}
