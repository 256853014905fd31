using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>Norms in single precision on an OpenCL device that is a processor.</summary>
internal sealed class VectorNorm(GpuContext context) : IDisposable
{
    // Rows of a group: few enough that processors share them out evenly.
    private const int ForwardRows = 16;

    private readonly Dictionary<(string Name, bool IsWhole, bool IsCentered), OpenClProgram> _programs = [];

    /// <summary>Whether rows can be found: those of more than three dimensions that cannot be merged are left to the portable kernels.</summary>
    public static bool Takes(in View x, in Nest rows) => x.Type == DType.Float32 && rows.Rank <= 3;

    public void Forward(in View x, in View gain, in View bias, in View y, in View statistics, in Nest rows, bool isCentered, float divisor, double epsilon)
    {
        Operands operands = Of(x, gain, y, statistics, rows, divisor);
        operands.Bias = bias.Offset;
        operands.HasBias = bias.IsNone ? 0 : 1;
        operands.Rows = ForwardRows;
        operands.Epsilon = (float)epsilon;
        Get("norm_forward", operands.Width, isCentered).Launch(
            operands, (rows.Count + ForwardRows - 1) / ForwardRows, 1, 1,
            context.Handle(x), context.Handle(gain), context.Handle(bias), context.Handle(y), context.Handle(statistics));
    }

    /// <summary>Partial sums [groups, 2, width] as the portable kernels make them.</summary>
    public void Backward(
        in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulate, in View partials, int rowsPerGroup, in Nest rows, bool isCentered, float divisor)
    {
        Operands operands = Of(x, gain, dx, statistics, rows, divisor);
        operands.DY = dy.Offset;
        operands.Partials = partials.Offset;
        operands.Rows = rowsPerGroup;
        operands.HasDX = dx.IsNone ? 0 : 1;
        operands.HasSums = partials.IsNone ? 0 : 1;
        operands.Accumulate = accumulate ? 1 : 0;
        (operands.D0, operands.D1, operands.D2) = (rows.B.S0, rows.B.S1, rows.B.S2);
        Get("norm_backward", operands.Width, isCentered).Launch(
            operands, (rows.Count + rowsPerGroup - 1) / rowsPerGroup, 1, 1,
            context.Handle(x), context.Handle(gain), context.Handle(statistics), context.Handle(dy), context.Handle(dx), context.Handle(partials));
    }

    /// <summary>Adds the partial sums up, in their order, and onto the gradients of the gain and, for LayerNorm, of the bias.</summary>
    public void AddPartials(in View partials, in View dGain, in View dBias)
    {
        int width = partials.Layout[2], vectors = (width + 15) / 16;
        OpenClProgram sums = Get("norm_sums", width, isCentered: false);
        for (int which = 0; which < 2; which++)
        {
            View target = which == 0 ? dGain : dBias;
            if (!target.IsNone)
            {
                // Those of the bias come after those of the gain, in each group's.
                var operands = new Operands { Gain = target.Offset, Partials = partials.Offset + which * width, Count = partials.Layout[0], Width = width };
                sums.Launch(operands, vectors, 1, 1, context.Handle(partials), context.Handle(target));
            }
        }
    }

    public void Dispose()
    {
        foreach (OpenClProgram program in _programs.Values)
        {
            program.Dispose();
        }
    }

    private OpenClProgram Get(string name, int width, bool isCentered)
    {
        (string Name, bool IsWhole, bool IsCentered) key = (name, width % 16 == 0, isCentered);
        if (!_programs.TryGetValue(key, out OpenClProgram? program))
        {
            program = new OpenClProgram(context, name, VectorNormSource.Text(key.IsWhole, isCentered));
            _programs.Add(key, program);
        }

        return program;
    }

    private static Operands Of(in View x, in View gain, in View y, in View statistics, in Nest rows, float divisor) => new()
    {
        X = x.Offset, Y = y.Offset, Gain = gain.Offset, Statistics = statistics.Offset,
        X0 = rows.A.S0, X1 = rows.A.S1, X2 = rows.A.S2, Y0 = rows.Y.S0, Y1 = rows.Y.S1, Y2 = rows.Y.S2,
        Count = rows.Count, N1 = Math.Max(1, rows.N1), N2 = Math.Max(1, rows.N2), Width = x.Layout[-1],
        HasGain = gain.IsNone ? 0 : 1, Divisor = divisor,
    };

    /// <summary>As the kernels' struct.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Operands
    {
        public long X, Y, Gain, Bias, Statistics, Partials;
        public long X0, X1, X2, Y0, Y1, Y2, D0, D1, D2, DY;
        public int Count, N1, N2, Width, Rows, HasGain, HasBias, HasDX, HasSums, Accumulate;
        public float Divisor, Epsilon;
    }
}
