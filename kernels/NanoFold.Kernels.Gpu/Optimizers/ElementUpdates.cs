using ILGPU;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>An optimizer's formula over contiguous parameters, gradients and slots, in single precision, four elements a thread.</summary>
internal static class ElementUpdates
{
    /// <param name="context">Launches it.</param>
    /// <param name="formula">Of an element.</param>
    /// <param name="args">Checked.</param>
    public static void Run<TFormula>(GpuContext context, TFormula formula, in UpdateArgs args)
        where TFormula : struct, IUpdateFormula
    {
        if (args.Parameter.Type != DType.Float32)
        {
            Checks.Throw("update", $"{args.Parameter} on a GPU, expected Float32");
        }

        // A slot that a formula does not have is never touched.
        View first = TFormula.Slots > 0 ? args.First : args.Parameter, second = TFormula.Slots > 1 ? args.Second : args.Parameter;
        View third = TFormula.Slots > 2 ? args.Third : args.Parameter;
        if (IsWhole(args.Parameter) && IsWhole(args.Gradient) && IsWhole(first) && IsWhole(second) && IsWhole(third))
        {
            Launch<TFormula, AlignedPiece>(context, formula, args, first, second, third);
        }
        else
        {
            Launch<TFormula, RaggedPiece>(context, formula, args, first, second, third);
        }
    }

    private static void Launch<TFormula, TPiece>(GpuContext context, TFormula formula, in UpdateArgs args, in View first, in View second, in View third)
        where TFormula : struct, IUpdateFormula
        where TPiece : struct, IPiece
        => context.LaunchThreads(
            new UpdateWork<TFormula, TPiece>
            {
                Formula = formula,
                Parameter = context.View<F32>(args.Parameter),
                Gradient = context.View<F32>(args.Gradient),
                First = context.View<F32>(first),
                Second = context.View<F32>(second),
                Third = context.View<F32>(third),
                State = context.Slots(args.State),
                Decay = (float)args.Decay,
                Rate = (int)args.Rate,
                FactorA = (int)args.FactorA,
                FactorB = (int)args.FactorB,
                Count = checked((int)args.Parameter.Count),
            },
            AlignedPiece.Count(checked((int)args.Parameter.Count)));

    private static bool IsWhole(in View x) => x.Count % 4 == 0 && x.Offset % 4 == 0;
}

/// <summary>(p, slots) = formula(p, scale · g, slots).</summary>
internal struct UpdateWork<TFormula, TPiece> : IGpuWork<UpdateWork<TFormula, TPiece>>
    where TFormula : struct, IUpdateFormula
    where TPiece : struct, IPiece
{
    public TFormula Formula;
    public ArrayView<F32> Parameter, Gradient, First, Second, Third;
    public ArrayView<long> State;
    public float Decay;
    public int Rate, FactorA, FactorB, Count;

    public static void Run(UpdateWork<TFormula, TPiece> w)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        var scale = (float)Slots.Double(w.State, StepSlot.GradientScale);
        if (scale == 0 || 4L * i >= w.Count)
        {
            return;
        }

        var factors = new UpdateFactors<GpuLane> { Rate = Factor(w, w.Rate), Decay = new GpuLane(w.Decay), A = Factor(w, w.FactorA), B = Factor(w, w.FactorB) };
        Float4 p = TPiece.Load(w.Parameter, 0, i, w.Count), g = TPiece.Load(w.Gradient, 0, i, w.Count) * scale, first = default, second = default, third = default;
        if (TFormula.Slots > 0)
        {
            first = TPiece.Load(w.First, 0, i, w.Count);
        }

        if (TFormula.Slots > 1)
        {
            second = TPiece.Load(w.Second, 0, i, w.Count);
        }

        if (TFormula.Slots > 2)
        {
            third = TPiece.Load(w.Third, 0, i, w.Count);
        }

        p.A = One(w, factors, p.A, g.A, ref first.A, ref second.A, ref third.A);
        p.B = One(w, factors, p.B, g.B, ref first.B, ref second.B, ref third.B);
        p.C = One(w, factors, p.C, g.C, ref first.C, ref second.C, ref third.C);
        p.D = One(w, factors, p.D, g.D, ref first.D, ref second.D, ref third.D);
        TPiece.Store(w.Parameter, 0, i, w.Count, p);
        if (TFormula.Slots > 0)
        {
            TPiece.Store(w.First, 0, i, w.Count, first);
        }

        if (TFormula.Slots > 1)
        {
            TPiece.Store(w.Second, 0, i, w.Count, second);
        }

        if (TFormula.Slots > 2)
        {
            TPiece.Store(w.Third, 0, i, w.Count, third);
        }
    }

    private static float One(in UpdateWork<TFormula, TPiece> w, UpdateFactors<GpuLane> factors, float parameter, float gradient, ref float first, ref float second, ref float third)
    {
        var x = new ElementUpdate<GpuLane>
        {
            Parameter = new GpuLane(parameter), Gradient = new GpuLane(gradient), First = new GpuLane(first), Second = new GpuLane(second), Third = new GpuLane(third),
        };
        x = w.Formula.Invoke(x, factors);
        first = x.First.Value;
        second = x.Second.Value;
        third = x.Third.Value;
        return x.Parameter.Value;
    }

    private static GpuLane Factor(in UpdateWork<TFormula, TPiece> w, int slot) => new(slot < 0 ? 1 : (float)Slots.Double(w.State, (StepSlot)slot));
}
