using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Fused;

/// <summary>A formula of a gate and what it multiplies, applied where a product ends: to its results, or as gradients to what it gives.</summary>
internal readonly record struct GemmGate(GateFormula Formula, bool IsGradient)
{
    /// <summary>Of a gate, in a product of so many columns.</summary>
    public int Columns(int columns) => IsGradient ? columns : columns / 2;

    /// <summary>f(gate, up), element by element.</summary>
    public Reg[] Values(PtxWriter w, GpuType output, Reg[] gate, Reg[] up)
    {
        var writer = new FormulaWriter(gate, up, []);
        using PtxLane.Scope scope = PtxLane.In(w, output != GpuType.Float32);
        Formula.Show(ref writer);
        return writer.First;
    }

    /// <summary>dGate and dUp, element by element.</summary>
    public (Reg[] Gate, Reg[] Up) Gradients(PtxWriter w, GpuType output, Reg[] gate, Reg[] up, Reg[] dy)
    {
        var writer = new FormulaWriter(gate, up, dy);
        using PtxLane.Scope scope = PtxLane.In(w, output != GpuType.Float32);
        Formula.Show(ref writer);
        return (writer.First, writer.Second);
    }

    public override string ToString() => IsGradient ? $"{Formula.Name} gradient" : Formula.Name;

    // Without dy the value.
    private struct FormulaWriter(Reg[] gate, Reg[] up, Reg[] dy) : IGateVisitor
    {
        public Reg[] First { get; } = new Reg[gate.Length];

        public Reg[] Second { get; } = new Reg[dy.Length];

        public readonly void Visit<TValue, TGradients>()
            where TValue : struct, IBinaryOp
            where TGradients : struct, IPairOp
        {
            for (int i = 0; i < gate.Length; i++)
            {
                if (dy.Length == 0)
                {
                    First[i] = default(TValue).Invoke(new PtxLane(gate[i]), new PtxLane(up[i])).Value;
                    continue;
                }

                First[i] = default(TGradients).Invoke(new PtxLane(gate[i]), new PtxLane(up[i]), new PtxLane(dy[i]), out PtxLane second).Value;
                Second[i] = second.Value;
            }
        }
    }
}
