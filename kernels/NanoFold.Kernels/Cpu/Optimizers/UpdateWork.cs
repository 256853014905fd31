using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Optimizers;

/// <summary>A formula over contiguous parameters, gradients and slots, each read and written once.</summary>
internal unsafe struct UpdateWork<TFormula> : ILaneWork
    where TFormula : struct, IUpdateFormula
{
    private const int ElementsPerItem = 16384;

    private TFormula _formula;
    private byte* _parameter;
    private byte* _gradient;
    private byte* _first;
    private byte* _second;
    private byte* _third;
    private long _count;
    private double _scale;
    private double _rate;
    private double _decay;
    private double _a;
    private double _b;

    /// <param name="context">Runs it.</param>
    /// <param name="formula">Of an element.</param>
    /// <param name="args">Checked.</param>
    public static void Run(CpuContext context, TFormula formula, in UpdateArgs args)
    {
        double scale = args.State.GetDouble(StepSlot.GradientScale);
        if (scale == 0)
        {
            return;
        }

        var work = new UpdateWork<TFormula>
        {
            _formula = formula,
            _parameter = (byte*)args.Parameter.Address,
            _gradient = (byte*)args.Gradient.Address,
            _first = TFormula.Slots > 0 ? (byte*)args.First.Address : null,
            _second = TFormula.Slots > 1 ? (byte*)args.Second.Address : null,
            _third = TFormula.Slots > 2 ? (byte*)args.Third.Address : null,
            _count = args.Parameter.Count,
            _scale = scale,
            _rate = args.State.GetDouble(args.Rate),
            _decay = args.Decay,
            _a = args.FactorA == StepSlot.None ? 1 : args.State.GetDouble(args.FactorA),
            _b = args.FactorB == StepSlot.None ? 1 : args.State.GetDouble(args.FactorB),
        };
        context.Run(args.Parameter.Type, RowBlocks.Items(work._count, ElementsPerItem), ref work);
    }

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long start = item * ElementsPerItem, offset = start * V.Type.Size();
        nint i = 0, count = (nint)Math.Min(ElementsPerItem, _count - start);
        V scale = V.Constant(_scale);
        var factors = new UpdateFactors<V> { Rate = V.Constant(_rate), Decay = V.Constant(_decay), A = V.Constant(_a), B = V.Constant(_b) };
        for (; i <= count - V.Width; i += V.Width)
        {
            Update<V, Whole<V>>(offset, scale, factors, i, 0);
        }

        if (i < count)
        {
            Update<V, Part<V>>(offset, scale, factors, i, (int)(count - i));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Update<V, P>(long offset, V scale, in UpdateFactors<V> factors, nint i, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        var x = new ElementUpdate<V> { Parameter = P.Load(_parameter + offset, i, count), Gradient = P.Load(_gradient + offset, i, count) * scale };
        if (TFormula.Slots > 0)
        {
            x.First = P.Load(_first + offset, i, count);
        }

        if (TFormula.Slots > 1)
        {
            x.Second = P.Load(_second + offset, i, count);
        }

        if (TFormula.Slots > 2)
        {
            x.Third = P.Load(_third + offset, i, count);
        }

        x = _formula.Invoke(x, factors);
        P.Store(_parameter + offset, i, count, x.Parameter);
        if (TFormula.Slots > 0)
        {
            P.Store(_first + offset, i, count, x.First);
        }

        if (TFormula.Slots > 1)
        {
            P.Store(_second + offset, i, count, x.Second);
        }

        if (TFormula.Slots > 2)
        {
            P.Store(_third + offset, i, count, x.Third);
        }
    }
}
