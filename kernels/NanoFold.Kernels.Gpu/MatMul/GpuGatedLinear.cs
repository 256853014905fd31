using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Pointwise;

namespace NanoFold.Kernels.Gpu.MatMul;

/// <summary>
/// Gated layers on a GPU: on CUDA products that apply the formula where they end, while results are in registers; elsewhere, and where that would take longer, a product and the
/// formula after it.
/// </summary>
internal sealed class GpuGatedLinear(GpuContext context, GpuMatMul matMul) : IKernel<GatedLinearCall>, IKernel<GatedGradientCall>
{
    public void Run(in GatedLinearCall call)
    {
        call.Check();
        var product = new MatMulArgs { A = call.X, B = call.Weight, TransposeB = true, Bias = call.Bias, Y = call.Gates, Rounding = call.Rounding };
        if (matMul.TryGated(product, new GemmGate(call.Formula, IsGradient: false), call.Y))
        {
            return;
        }

        matMul.MatMul(product);
        var formula = new Value(context, call.Gates, call.Y);
        call.Formula.Show(ref formula);
    }

    public void Run(in GatedGradientCall call)
    {
        call.Check();
        RowCheck.Scratch(GatedGradientCall.Name, call.Scratch, ScratchBytes(call));
        var product = new MatMulArgs
        {
            A = call.DY, B = call.Weight, Y = GatedParts.Of(call.DGates, 0), Rounding = call.Rounding, Accumulate = call.Accumulate,
        };
        if (matMul.TryGated(product, new GemmGate(call.Formula, IsGradient: true), call.Gates))
        {
            return;
        }

        View dh = call.Scratch.As(call.DY.Type, Layout.Of(call.DY.Layout[0], call.Weight.Layout[1]));
        matMul.MatMul(new MatMulArgs { A = call.DY, B = call.Weight, Y = dh, Rounding = call.Rounding });
        var formula = new Gradients(context, call.Gates, dh, call.DGates, call.Accumulate);
        call.Formula.Show(ref formula);
    }

    public long ScratchBytes(in GatedGradientCall shape) => (long)shape.DY.Layout[0] * shape.Weight.Layout[1] * shape.DY.Type.Size();

    private readonly struct Value(GpuContext context, View gates, View y) : IGateVisitor
    {
        public void Visit<TValue, TGradients>()
            where TValue : struct, IBinaryOp
            where TGradients : struct, IPairOp
            => Map.Run(context, new Binary<TValue>(default), GatedParts.Of(gates, 0), GatedParts.Of(gates, 1), GatedParts.Of(gates, 1), y, accumulateY: false);
    }

    private readonly struct Gradients(GpuContext context, View gates, View dh, View dGates, bool accumulate) : IGateVisitor
    {
        public void Visit<TValue, TGradients>()
            where TValue : struct, IBinaryOp
            where TGradients : struct, IPairOp
            => Map.Run(
                context, new Pair<TGradients>(default), GatedParts.Of(gates, 0), GatedParts.Of(gates, 1), dh, GatedParts.Of(dGates, 0), accumulate, GatedParts.Of(dGates, 1), accumulate);
    }
}
