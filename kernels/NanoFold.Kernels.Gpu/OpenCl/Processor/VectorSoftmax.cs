using System.Runtime.InteropServices;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>Softmax in single precision on an OpenCL device that is a processor.</summary>
internal sealed class VectorSoftmax(GpuContext context) : IDisposable
{
    // Elements of a group: enough to be worth its start.
    private const int Piece = 8192;

    private OpenClProgram? _forward, _backward;

    /// <summary>Runs it, or returns false where what is seen is data, or rows are not in one stretch of memory each or lie in more than three dimensions.</summary>
    public bool TryForward(in View x, in View y, double scale, in Visible visible)
    {
        Nest rows = RowNest.Of(y, x);
        if (!Takes(rows, x, y) || !visible.Prefixes.IsNone || !visible.Documents.IsNone || !visible.Blocks.IsNone)
        {
            return false;
        }

        Operands operands = Of(rows, x, y);
        VisibleRule rule = visible.Rule(operands.Length);
        operands.Time = x.Layout.Rank > 1 ? x.Layout[-2] : 1;
        operands.Shift = operands.Length - operands.Time;
        (operands.Prefix, operands.Window, operands.Sinks) = (rule.Prefix, rule.Window, rule.Sinks);
        operands.Scale = scale == 0 ? 1 : (float)Math.Abs(scale);
        operands.Sign = Math.Sign(scale);
        _forward ??= new OpenClProgram(context, "softmax", VectorSoftmaxSource.Text);
        _forward.Launch(operands, Groups(operands), 1, 1, context.Handle(x), context.Handle(y));
        return true;
    }

    /// <summary>As above.</summary>
    public bool TryBackward(in View y, in View dy, in View dx, double scale, bool accumulate)
    {
        Nest rows = RowNest.Of(dx, y, dy);
        if (!Takes(rows, y, dx) || dy.Layout.Stride(-1) != 1)
        {
            return false;
        }

        Operands operands = Of(rows, y, dx);
        operands.D = dy.Offset;
        (operands.D0, operands.D1, operands.D2) = (rows.B.S0, rows.B.S1, rows.B.S2);
        operands.Scale = (float)scale;
        operands.Accumulate = accumulate ? 1 : 0;
        _backward ??= new OpenClProgram(context, "softmax_backward", VectorSoftmaxSource.Text);
        _backward.Launch(operands, Groups(operands), 1, 1, context.Handle(y), context.Handle(dy), context.Handle(dx));
        return true;
    }

    public void Dispose()
    {
        _forward?.Dispose();
        _backward?.Dispose();
    }

    private static bool Takes(in Nest rows, in View x, in View y)
        => x.Type == DType.Float32 && rows.Rank <= 3 && rows.Count > 0 && x.Layout.Stride(-1) == 1 && y.Layout.Stride(-1) == 1;

    private static int Groups(in Operands operands) => (operands.Count + operands.Rows - 1) / operands.Rows;

    private static Operands Of(in Nest rows, in View x, in View y) => new()
    {
        X = x.Offset, Y = y.Offset, X0 = rows.A.S0, X1 = rows.A.S1, X2 = rows.A.S2, Y0 = rows.Y.S0, Y1 = rows.Y.S1, Y2 = rows.Y.S2,
        Count = rows.Count, N1 = Math.Max(1, rows.N1), N2 = Math.Max(1, rows.N2), Length = x.Layout[-1], Rows = Math.Max(1, Piece / x.Layout[-1]),
    };

    /// <summary>As the kernels' struct; for the gradient x is y, y is dx, and d is dy.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Operands
    {
        public long X, Y, D, X0, X1, X2, Y0, Y1, Y2, D0, D1, D2;
        public int Count, N1, N2, Length, Rows, Time, Shift, Prefix, Window, Sinks, Accumulate;
        public float Scale, Sign;
    }
}
