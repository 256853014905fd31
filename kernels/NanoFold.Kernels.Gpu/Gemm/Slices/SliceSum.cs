using System.Runtime.CompilerServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Slices;

/// <summary>Adds the sums [M, N] of the slices of a split depth, in their order, and does what a product does with its sums. A thread has a few columns of one row.</summary>
internal static class SliceSum
{
    private const int Threads = 256;

    /// <summary>Of a problem's second launch: only what concerns y.</summary>
    public static GemmSpec Spec(in GemmProblem problem)
    {
        GemmSpec spec = problem.Spec();
        return new GemmSpec
        {
            Input = GpuType.Float32,
            Output = spec.Output,
            AlignA = 16,
            AlignB = 16,
            WideY = spec.WideY && problem.N % Columns(spec) == 0,
            Accumulate = spec.Accumulate,
            Bias = spec.Bias,
            Residual = spec.Residual,
        };
    }

    public static int Blocks(in GemmSpec spec, int rows, int columns)
        => (int)(((long)rows * columns / (spec.WideY ? Columns(spec) : 1) + Threads - 1) / Threads);

    public static PtxProgram Write(in GemmSpec spec, bool startsEarly = false)
    {
        var w = new PtxWriter("slice_sum", startsEarly ? 90 : 60, Threads, Unsafe.SizeOf<GemmArguments>()) { StartsEarly = startsEarly };
        int count = spec.WideY ? Columns(spec) : 1;
        Reg rows = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.M)), columns = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.N));
        Reg index = w.Mad(w.BlockX(), Threads, w.ThreadX()), across = w.Div(columns, count);
        Reg row = w.Div(index, across), column = w.Mul(w.Sub(index, w.Mul(row, across)), count);
        using (w.When(w.Compare("ge", row, rows)))
        {
            w.Return();
        }

        Reg at = w.New(RegKind.B64);
        w.Set(at, w.MadWide(column, 4, w.MadWide(row, GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideA)), GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.A)))));
        Reg step = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.OuterA)), left = w.New(RegKind.B32);
        w.Set(left, GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.Groups)));
        Reg[] sums = w.New(RegKind.F32, count);
        foreach (Reg sum in sums)
        {
            w.Set(sum, 0f);
        }

        string loop = w.NewLabel();
        w.WaitForEarlier();
        w.Mark(loop);
        for (int i = 0; i < count; i += 4)
        {
            Reg[] values = count == 1 ? [w.LoadGlobal(RegKind.F32, at)] : w.LoadGlobal(RegKind.F32, 4, at, 4 * i);
            for (int j = 0; j < values.Length; j++)
            {
                w.Set(sums[i + j], w.Add(sums[i + j], values[j]));
            }
        }

        w.Set(at, w.Add(at, step));
        w.Set(left, w.Sub(left, 1));
        using (w.When(w.Compare("gt", left, 0)))
        {
            w.Branch(loop);
        }

        Reg y = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Y));
        Reg residual = spec.Residual is null ? default : GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Residual));
        var epilogue = new GemmEpilogue(w, spec, (y, residual), rows, columns);
        epilogue.Store(epilogue.At(column, count, check: false), row, sums);
        return w.Finish(0);
    }

    private static int Columns(in GemmSpec spec) => 16 / spec.Output.Size();
}
