using NanoFold.Kernels;

namespace NanoFold.Tests.Suites.Halves;

/// <summary>A kernel of the CPU in single precision, whose operands of 16 bits are copied and whose results are rounded back; see <see cref="HalfBackend"/>.</summary>
internal sealed class HalfKernel<TCall>(IKernel<TCall> single) : IKernel<TCall>
    where TCall : struct, IKernelCall<TCall>
{
    public void Run(in TCall call)
    {
        call.Check();
        using var operands = new HalfOperands();
        var widened = new Widened { Operands = operands };
        single.Run(call.Visit(ref widened));
    }

    public long ScratchBytes(in TCall shape)
    {
        var widened = default(WidenedShape);
        return single.ScratchBytes(shape.Visit(ref widened));
    }

    public long KeptBytes(in TCall shape)
    {
        var widened = default(WidenedShape);
        return single.KeptBytes(shape.Visit(ref widened));
    }

    private struct Widened : IOperandVisitor
    {
        public required HalfOperands Operands { get; init; }

        public readonly View Visit(string name, in View view, Access access) => access is Access.Read or Access.Scratch ? Operands.In(view) : Operands.Out(view);
    }

    private struct WidenedShape : IOperandVisitor
    {
        public readonly View Visit(string name, in View view, Access access)
            => view.IsNone || !view.Type.Is16Bit() ? view : View.OfShape(view.Layout.Contiguous(), DType.Float32);
    }
}
