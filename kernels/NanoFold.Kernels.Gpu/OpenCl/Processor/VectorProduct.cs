using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;
using NanoFold.Kernels.Gpu.MatMul;

namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>Products in single precision on an OpenCL device that is a processor: there local memory is plain memory, and a barrier costs more than it saves.</summary>
internal sealed class VectorProduct(GpuContext context) : IDisposable
{
    // Groups along the second and third dimension at most, as anywhere.
    private const int MostGroups = 65535;

    private OpenClProgram? _product, _pack;

    /// <summary>Runs the product, or returns false for more than three dimensions of batches that cannot be merged.</summary>
    /// <param name="args">The views.</param>
    /// <param name="product">Its sizes and strides.</param>
    /// <param name="batches">Batches: y, a, b, residual.</param>
    public bool TryRun(in MatMulArgs args, in Product<F32, F32> product, in Nest batches)
    {
        int panels = (product.N + VectorProductSource.Columns - 1) / VectorProductSource.Columns;
        if (batches.Rank > 3 || batches.Count > MostGroups || panels > MostGroups)
        {
            return false;
        }

        int firstPanel = product.BColumn == 1 ? product.N / VectorProductSource.Columns : 0;
        var operands = new Operands
        {
            A = args.A.Offset, B = args.B.Offset, Y = args.Y.Offset, Bias = args.Bias.Offset, Residual = args.Residual.Offset,
            ARow = product.ARow, AStep = product.AStep, BStep = product.BStep, BColumn = product.BColumn, YRow = product.YRow, YColumn = product.YColumn,
            BiasColumn = product.BiasColumn, ResidualRow = product.ResidualRow, ResidualColumn = product.ResidualColumn,
            PanelBatch = (long)(panels - firstPanel) * product.K * VectorProductSource.Columns,
            Y0 = batches.Y.S0, Y1 = batches.Y.S1, Y2 = batches.Y.S2, A0 = batches.A.S0, A1 = batches.A.S1, A2 = batches.A.S2,
            B0 = batches.B.S0, B1 = batches.B.S1, B2 = batches.B.S2, R0 = batches.C.S0, R1 = batches.C.S1, R2 = batches.C.S2,
            M = product.M, N = product.N, K = product.K, N1 = Math.Max(1, batches.N1), N2 = Math.Max(1, batches.N2), FirstPanel = firstPanel,
            Accumulate = product.Accumulate, HasBias = product.HasBias, HasResidual = product.HasResidual, IsSymmetric = args.IsSymmetric ? 1 : 0, Alpha = product.Alpha,
        };
        nint scratch = context.Handle(default);
        if (firstPanel < panels && product.K > 0)
        {
            scratch = context.ScratchHandle(operands.PanelBatch * batches.Count * sizeof(float));
            _pack ??= new OpenClProgram(context, "pack", VectorProductSource.Pack);
            int parts = (product.K + VectorProductSource.PackedSteps - 1) / VectorProductSource.PackedSteps;
            _pack.Launch(operands, panels - firstPanel, parts, batches.Count, context.Handle(args.B), scratch);
        }

        _product ??= new OpenClProgram(context, "product", VectorProductSource.Product);
        _product.Launch(
            operands, (product.M + VectorProductSource.Rows - 1) / VectorProductSource.Rows, panels, batches.Count,
            context.Handle(args.A), context.Handle(args.B), context.Handle(args.Bias), context.Handle(args.Residual), context.Handle(args.Y), scratch);
        return true;
    }

    public void Dispose()
    {
        _product?.Dispose();
        _pack?.Dispose();
    }

    /// <summary>As the kernels' struct.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Operands
    {
        public long A, B, Y, Bias, Residual, Panels;
        public long ARow, AStep, BStep, BColumn, YRow, YColumn, BiasColumn, ResidualRow, ResidualColumn, PanelBatch;
        public long Y0, Y1, Y2, A0, A1, A2, B0, B1, B2, R0, R1, R2;
        public int M, N, K, N1, N2, FirstPanel, Accumulate, HasBias, HasResidual, IsSymmetric;
        public float Alpha;
    }
}
