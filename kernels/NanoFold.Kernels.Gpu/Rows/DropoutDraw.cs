using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>How kernels draw what <see cref="DropoutRandom"/> says.</summary>
internal struct DropoutDraw
{
    public ArrayView<long> State;
    public int Node;
    public uint Threshold;

    /// <summary>Of what is kept.</summary>
    public float Factor;

    /// <summary>The call's key, drawn by one thread of a group; all call.</summary>
    public static ulong Key(in DropoutDraw draw)
    {
        ArrayView<ulong> shared = SharedMemory.Allocate<ulong>(1);
        if (Group.IdxX == 0)
        {
            shared[0] = DropoutRandom.Key((ulong)draw.State[(int)StepSlot.RandomKey], draw.State[(int)StepSlot.Step], draw.State[(int)StepSlot.MicroBatch], draw.Node);
        }

        Group.Barrier();
        return shared[0];
    }

    /// <summary>Factors of the elements 4 · <paramref name="four"/> and the three behind.</summary>
    public static Four<float> Factors(in DropoutDraw draw, ulong key, int four)
    {
        (uint x0, uint x1, uint x2, uint x3) = Philox.Next(key, (ulong)four, 0);
        Four<float> factors;
        factors.A = x0 >= draw.Threshold ? draw.Factor : 0;
        factors.B = x1 >= draw.Threshold ? draw.Factor : 0;
        factors.C = x2 >= draw.Threshold ? draw.Factor : 0;
        factors.D = x3 >= draw.Threshold ? draw.Factor : 0;
        return factors;
    }
}
