using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>Where tokens go on, on the CPU: a work item is a row.</summary>
public sealed unsafe class CpuContinuation(CpuContext context) : IKernel<ContinuationCall>
{
    public void Run(in ContinuationCall call)
    {
        call.Check();
        var work = new ContinuationWork
        {
            Y = (byte*)call.Y.Address, Documents = call.Documents.Ints, Positions = call.Positions.Ints, Time = call.Y.Layout[1],
        };
        context.Run(call.Y.Type, call.Y.Layout[0], ref work, parallel: false);
    }

    private struct ContinuationWork : ILaneWork
    {
        public byte* Y;
        public int* Documents;
        public int* Positions;
        public int Time;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            nint first = (nint)item * Time;
            for (nint t = 0; t < Time; t++)
            {
                bool goesOn = t == 0
                    ? Positions != null && Positions[item] > 0
                    : Documents == null || Documents[first + t] == Documents[first + t - 1];
                V.StorePart(Y, first + t, 1, V.Constant(goesOn ? 1 : 0));
            }
        }
    }
}
