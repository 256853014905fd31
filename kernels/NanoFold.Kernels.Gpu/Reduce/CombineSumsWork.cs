using ILGPU;

namespace NanoFold.Kernels.Gpu.Reduce;

/// <summary>Adds up the segments' sums in order, an output a thread.</summary>
internal struct CombineSumsWork : IGpuWork<CombineSumsWork>
{
    public SumTarget Target;

    public static void Run(CombineSumsWork w)
    {
        int output = Grid.IdxX * Group.DimX + Group.IdxX, segments = w.Target.Segments, outputs = w.Target.Kept.Count;
        if (output >= outputs)
        {
            return;
        }

        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        long at = output;
        int segment = 0;
        for (; segment <= segments - 4; segment += 4)
        {
            s0 += w.Target.Partial[at];
            s1 += w.Target.Partial[at + outputs];
            s2 += w.Target.Partial[at + 2L * outputs];
            s3 += w.Target.Partial[at + 3L * outputs];
            at += 4L * outputs;
        }

        for (; segment < segments; segment++)
        {
            s0 += w.Target.Partial[at];
            at += outputs;
        }

        w.Target.Segments = 1;
        SumTarget.Write(w.Target, output, 0, s0 + s1 + (s2 + s3));
    }
}
