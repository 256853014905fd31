using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// What pairs of a preferred and a rejected answer cost. nats [N, 2] are those of both answers, −ln p summed over their tokens, reference [N, 2] the same of another model; rewards
/// [N, 2] = β (reference − nats), margin m [N] the first minus the second. loss [N] by <see cref="PreferenceLoss"/>. dNats = ∓β dLoss · loss′(m); none flows to the reference.
/// </summary>
/// <param name="loss">Which.</param>
/// <param name="beta">β.</param>
/// <param name="smoothing">ε: the share of pairs that are taken to be the other way round.</param>
public sealed class PreferenceLossOp(PreferenceLoss loss, double beta, double smoothing) : Op
{
    private const int NatsInput = 0, ReferenceInput = 1;
    private const int Rewards = 1, Margin = 2, Right = 3;

    public override string Name => "preference-loss";

    /// <returns>loss [N], rewards [N, 2], margin [N], and 1 where that is positive [N].</returns>
    public static (Tensor Loss, Tensor Rewards, Tensor Margin, Tensor Right) Record(Tape tape, Tensor nats, Tensor reference, PreferenceLoss loss, double beta, double smoothing = 0)
    {
        if (nats.Layout.Rank != 2 || nats[1] != 2 || !nats.Layout.SameShape(reference.Layout))
        {
            throw new ArgumentException($"preference-loss: nats {nats}, reference {reference}; expected [N, 2] twice");
        }

        Layout rows = Layout.Of(nats[0]);
        Tensor[] outputs = tape.Record(new PreferenceLossOp(loss, beta, smoothing), [nats, reference], [(rows, nats.Type), (nats.Layout, nats.Type), (rows, nats.Type), (rows, nats.Type)]);
        return (outputs[0], outputs[Rewards], outputs[Margin], outputs[Right]);
    }

    public override bool IsDifferentiable(int input) => input == NatsInput;

    public override bool BackwardReadsInput(int input) => false;

    public override bool BackwardReadsOutput(int output) => output == Margin;

    public override void Forward(Backend backend, OpCall call)
    {
        View rewards = call.Output(Rewards), margin = Column(call.Output(Margin));
        backend.Zip(new Reward(beta), call.Input(NatsInput), call.Input(ReferenceInput), rewards);
        backend.Zip(default(Minus), Side(rewards, 0), Side(rewards, 1), margin);
        backend.Map(default(IsPositive), margin, Column(call.Output(Right)));
        View y = Column(call.Output(0));
        switch (loss)
        {
            case PreferenceLoss.Ipo:
                backend.Map(new Ipo(1 / beta, 0.5 / beta), margin, y);
                break;
            case PreferenceLoss.Hinge:
                backend.Map(default(Hinge), margin, y);
                break;
            default:
                backend.Map(new Sigmoid(smoothing), margin, y);
                break;
        }
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View margin = Column(call.Output(Margin)), dLoss = Column(call.OutputGradient(0)), dNats = call.InputGradient(NatsInput);
        for (int side = 0; side < 2; side++)
        {
            double sign = side == 0 ? -beta : beta;
            View target = Side(dNats, side);
            switch (loss)
            {
                case PreferenceLoss.Ipo:
                    backend.Zip(new IpoSlope(1 / beta, 0.5 / beta, 2 * sign / beta), margin, dLoss, target, call.Accumulates(NatsInput));
                    break;
                case PreferenceLoss.Hinge:
                    backend.Zip(new HingeSlope(sign), margin, dLoss, target, call.Accumulates(NatsInput));
                    break;
                default:
                    backend.Zip(new SigmoidSlope(smoothing, sign), margin, dLoss, target, call.Accumulates(NatsInput));
                    break;
            }
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((PreferenceLoss loss, double smoothing) in new[] { (PreferenceLoss.Sigmoid, 0), (PreferenceLoss.Sigmoid, 0.1), (PreferenceLoss.Ipo, 0), (PreferenceLoss.Hinge, 0) })
        {
            yield return new OpCase($"preference-loss {loss} {smoothing} [5, 2]", [new OpInput([5, 2], 1, 9), new OpInput([5, 2], 1, 9)],
                (tape, t) => Record(tape, t[0], t[1], loss, 0.4, smoothing).Loss, a => Reference(a, loss, smoothing)) { Tolerance = 1e-5, CheckGradient = false };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"preference-loss {s.Name} [{s.Tokens}, 2]", [new OpInput([s.Tokens, 2], 1, 9), new OpInput([s.Tokens, 2], 1, 9)],
            (tape, t) => Record(tape, t[0], t[1], PreferenceLoss.Sigmoid, 0.4).Loss, a => Reference(a, PreferenceLoss.Sigmoid, 0)) { CheckGradient = false };
    }

    private static double[] Reference(double[][] a, PreferenceLoss loss, double smoothing) =>
    [
        .. a[0].Chunk(2).Zip(a[1].Chunk(2), (nats, reference) =>
        {
            double h = reference[0] - nats[0] - reference[1] + nats[1], m = 0.4 * h;
            return loss switch
            {
                PreferenceLoss.Ipo => Math.Pow(h - (1 / 0.8), 2),
                PreferenceLoss.Hinge => Math.Max(0, 1 - m),
                _ => ((1 - smoothing) * Math.Log(1 + Math.Exp(-m))) + (smoothing * Math.Log(1 + Math.Exp(m))),
            };
        }),
    ];

    private static View Column(in View rows) => rows.With(Layout.Of(rows.Layout[0], 1));

    private static View Side(in View both, int side) => both.With(both.Layout.Slice(1, side, 1, out long offset), offset);

    /// <summary>β (reference − nats).</summary>
    internal readonly struct Reward(double beta) : IBinaryOp
    {
        public V Invoke<V>(V nats, V reference)
            where V : struct, ILane<V>
            => V.Constant(beta) * (reference - nats);
    }

    internal readonly struct Minus : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a - b;
    }

    internal readonly struct IsPositive : IUnaryOp
    {
        public V Invoke<V>(V m)
            where V : struct, ILane<V>
            => V.SelectGreater(m, V.Constant(0), V.Constant(1), V.Constant(0));
    }

    /// <summary>−(1 − ε) ln σ(m) − ε ln σ(−m).</summary>
    internal readonly struct Sigmoid(double smoothing) : IUnaryOp
    {
        public V Invoke<V>(V m)
            where V : struct, ILane<V>
        {
            // ln(1 + e⁻|m|) is in both; what is left is linear.
            V zero = V.Constant(0), rest = V.Log(V.Constant(1) + V.Exp(-V.Abs(m)));
            return rest + (V.Constant(1 - smoothing) * V.Max(-m, zero)) + (V.Constant(smoothing) * V.Max(m, zero));
        }
    }

    /// <summary>dLoss · sign · (ε − σ(−m)): the slope of <see cref="Sigmoid"/>.</summary>
    internal readonly struct SigmoidSlope(double smoothing, double sign) : IBinaryOp
    {
        public V Invoke<V>(V m, V dLoss)
            where V : struct, ILane<V>
        {
            V power = V.Exp(-V.Abs(m)), one = V.Constant(1);
            V wrong = V.SelectGreater(m, V.Constant(0), power, one) / (one + power);
            return dLoss * V.Constant(sign) * (V.Constant(smoothing) - wrong);
        }
    }

    /// <summary>(m / β − 1 / 2β)².</summary>
    internal readonly struct Ipo(double inverse, double aim) : IUnaryOp
    {
        public V Invoke<V>(V m)
            where V : struct, ILane<V>
        {
            V off = (m * V.Constant(inverse)) - V.Constant(aim);
            return off * off;
        }
    }

    internal readonly struct IpoSlope(double inverse, double aim, double factor) : IBinaryOp
    {
        public V Invoke<V>(V m, V dLoss)
            where V : struct, ILane<V>
            => dLoss * V.Constant(factor) * ((m * V.Constant(inverse)) - V.Constant(aim));
    }

    /// <summary>max(0, 1 − m).</summary>
    internal readonly struct Hinge : IUnaryOp
    {
        public V Invoke<V>(V m)
            where V : struct, ILane<V>
            => V.Max(V.Constant(1) - m, V.Constant(0));
    }

    internal readonly struct HingeSlope(double sign) : IBinaryOp
    {
        public V Invoke<V>(V m, V dLoss)
            where V : struct, ILane<V>
            => V.SelectGreater(V.Constant(1), m, dLoss * V.Constant(-sign), V.Constant(0));
    }
}

/// <summary>How a margin between answers becomes a loss.</summary>
public enum PreferenceLoss
{
    /// <summary>−ln σ(m) (DPO, arXiv 2305.18290), with label smoothing −(1 − ε) ln σ(m) − ε ln σ(−m) (cDPO).</summary>
    Sigmoid,

    /// <summary>(m / β − 1 / 2β)² (IPO, arXiv 2310.12036).</summary>
    Ipo,

    /// <summary>max(0, 1 − m) (SLiC, arXiv 2305.10425).</summary>
    Hinge,
}
