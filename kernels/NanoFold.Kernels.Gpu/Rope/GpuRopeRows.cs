using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rope;

/// <summary>Rows of a table of rotary positions on a GPU: a thread a pair of a token.</summary>
internal sealed class GpuRopeRows(GpuContext context) : IKernel<RopeRowsCall>
{
    public void Run(in RopeRowsCall call)
    {
        call.Check();
        int batch = call.Positions.Layout[0], half = call.Y.Layout[1] / 2, threads = checked(call.Y.Layout[0] * half);
        context.LaunchThreads(
            new RopeRowsWork
            {
                Turns = context.View<F32>(call.Turns),
                Y = context.View<F32>(call.Y),
                Positions = context.View<int>(call.Positions),
                Lengths = context.View<int>(call.Lengths),
                TurnsStride = call.Turns.Layout.Stride(0),
                LastRow = call.Turns.Layout[0] - 1,
                First = call.First,
                Threads = threads,
                Time = call.Y.Layout[0] / batch,
                Half = half,
                Factor = (float)call.Factor,
            },
            threads);
    }
}

/// <summary>Whole numbers reduce the angle to an eighth of a turn to either side, where short series for sine and cosine are exact to single precision.</summary>
internal struct RopeRowsWork : IGpuWork<RopeRowsWork>
{
    public ArrayView<F32> Turns, Y;
    public ArrayView<int> Positions, Lengths;
    public long TurnsStride;
    public int LastRow, First, Threads, Time, Half;
    public float Factor;

    public static void Run(RopeRowsWork w)
    {
        int thread = Grid.IdxX * Group.DimX + Group.IdxX;
        if (thread >= w.Threads)
        {
            return;
        }

        int token = thread / w.Half, i = thread - token * w.Half, batch = token / w.Time, time = token - batch * w.Time;
        long turns = IntrinsicMath.Clamp(w.Lengths[batch] - w.First, 0, w.LastRow) * w.TurnsStride;
        long turn = ((long)F32.Read(w.Turns[turns + i]) << 24) | (long)F32.Read(w.Turns[turns + w.Half + i]);
        long angle = ((w.Positions[batch] + time) * turn) & (RopeRowsCall.Turn - 1);

        // The nearest quarter, and what is left of it.
        long quarter = (angle + (RopeRowsCall.Turn >> 3)) >> 46;
        float x = (angle - (quarter << 46)) * (6.2831853071795864769f / RopeRowsCall.Turn), square = x * x;
        float sin = x + x * square * (-1f / 6 + square * (1f / 120 + square * (-1f / 5040 + square * (1f / 362880))));
        float cos = 1f + square * (-0.5f + square * (1f / 24 + square * (-1f / 720 + square * (1f / 40320))));
        int q = (int)quarter & 3;
        float a = (q & 1) == 0 ? cos : sin, b = (q & 1) == 0 ? sin : cos;
        long row = (long)token * 2 * w.Half;
        w.Y[row + i] = F32.Write((q == 1 || q == 2 ? -a : a) * w.Factor);
        w.Y[row + w.Half + i] = F32.Write((q >= 2 ? -b : b) * w.Factor);
    }
}
