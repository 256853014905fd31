using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>
/// y = x Wᵀ (+ bias), of which the first columns are heads that are then turned by rotary positions (<see cref="RopeOp"/>): x [B, T, C], W [F, C], bias [F], y [B, T, F]. What reads the turned
/// heads gives the gradient before the turn, as an <see cref="AttentionOp"/> with the same <see cref="RotaryPositions"/> does; so the way back is that of a linear layer.
/// </summary>
public sealed class RotaryLinearOp(Backend backend, int heads, int headDim, bool interleaved) : Op
{
    private const int X = 0, W = 1, Bias = 2, Rotation = 3;

    private readonly IKernel<RotaryLinearCall>? _kernel = backend.Find<RotaryLinearCall>();
    private readonly IKernel<RopeCall> _rope = backend.Require<RopeCall>();

    public override string Name => "rotary-linear";

    /// <summary>Whether a backend has kernels for it and for the way back: otherwise a product and ops of their own do the same.</summary>
    internal static bool IsWorthwhile(Backend backend) => backend.Find<RotaryLinearCall>() is not null && backend.Find<RotaryAttentionBackwardCall>() is not null && backend.Find<AttentionCall>() is not null;

    /// <param name="tape">Where it is recorded.</param>
    /// <param name="x">[B, T, C], contiguous.</param>
    /// <param name="weight">[F, C].</param>
    /// <param name="bias">[F] or none.</param>
    /// <param name="heads">That are turned.</param>
    /// <param name="headDim">Elements of each.</param>
    /// <param name="rotary">Their positions.</param>
    public static Tensor Record(Tape tape, Tensor x, Tensor weight, Tensor bias, int heads, int headDim, RotaryPositions rotary)
    {
        if (x.Layout.Rank != 3 || weight.Layout.Rank != 2 || x[-1] != weight[1] || !x.Layout.IsContiguous || (long)heads * headDim > weight[0] || rotary.Table[-1] > headDim)
        {
            throw new ArgumentException($"rotary-linear: x {x}, weight {weight} and table {rotary.Table}; expected contiguous [B, T, C], [F, C] and [positions, R], with {heads} heads of {headDim} in F and R in a head");
        }

        return tape.Record(new RotaryLinearOp(tape.Backend, heads, headDim, rotary.Interleaved), [x, weight, bias, rotary.Table, rotary.Positions], Layout.Of(x[0], x[1], weight[0]));
    }

    public override bool IsDifferentiable(int input) => input < Rotation;

    public override bool BackwardReadsInput(int input, Func<int, bool> wants) => input switch { X => wants(W), W => wants(X), _ => false };

    public override void Forward(Backend backend, OpCall call)
    {
        var rotary = new RotaryLinearCall
        {
            X = LinearOp.Flat(call.Input(X)), Weight = call.Input(W), Bias = call.Input(Bias), Y = call.Output(0), Heads = heads, HeadDim = headDim,
            Rotation = RotaryPositions.At(call, Rotation, interleaved), Rounding = call.Rounding,
        };
        if (_kernel is not null)
        {
            _kernel.Run(rotary);
            return;
        }

        backend.MatMul(rotary.Product);
        _rope.Run(rotary.Rotation.InPlace(rotary.Turned, inverse: false));
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View dy = LinearOp.Flat(call.OutputGradient(0));
        LinearOp.Gradients(backend, call, dy, X, W);
        if (!call.InputGradient(Bias).IsNone)
        {
            View dBias = call.InputGradient(Bias);
            backend.Sum(dy, dBias.With(Layout.Of(1, dBias.Layout[0])), call.Accumulates(Bias));
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        foreach (bool interleaved in new[] { false, true })
        {
            yield return Case(2, 5, 3, 1, 6, 6, interleaved, hasBias: false);
            yield return Case(2, 5, 2, 2, 8, 4, interleaved, hasBias: true);
        }

        yield return Case(1, 33, 2, 1, 16, 16, interleaved: false, hasBias: true);
    }

    private static OpCase Case(int batch, int time, int heads, int keyHeads, int headDim, int turned, bool interleaved, bool hasBias)
    {
        const int Width = 7, Positions = 40;
        int all = heads + keyHeads, columns = (all + keyHeads) * headDim;
        double scale = 1 / Math.Sqrt(headDim);
        double[] starts = [.. Enumerable.Range(0, batch).Select(b => 3.0 * b)], table = RopeTable.Compute(Positions, turned, 10000);
        List<OpInput> inputs =
        [
            OpInput.Real(batch, time, Width), OpInput.Weight(columns, Width), new OpInput([Positions, turned]) { Values = table, IsTable = true },
            new OpInput([batch]) { IsInteger = true, Values = starts },
        ];
        if (hasBias)
        {
            inputs.Add(OpInput.Weight(columns));
        }

        return new OpCase($"rotary-linear [{batch}, {time}, {Width}] to {heads} and {keyHeads} heads of {headDim}, {turned} turned{(interleaved ? " interleaved" : "")}", [.. inputs], Attend, Reference) { Tolerance = 1e-5 };

        OpOutputs Attend(Tape tape, Tensor[] t)
        {
            var rotary = new RotaryPositions(t[2], t[3], interleaved);
            Tensor bias = hasBias ? t[4] : default;
            bool isFused = tape.Backend.Find<AttentionCall>() is not null;
            Tensor made = isFused ? Record(tape, t[0], t[1], bias, all, headDim, rotary) : LinearOp.Record(tape, t[0], t[1], bias);
            Tensor Part(int start, int count) => made.Slice(2, start * headDim, count * headDim).SplitLast(count);
            (Tensor q, Tensor k, Tensor v) = (Part(0, heads), Part(heads, keyHeads), Part(all, keyHeads));
            return isFused
                ? AttentionOp.Record(tape, q, k, v, scale, Visibility.Causal, rotary: rotary)
                : AttentionOp.Record(tape, RopeOp.Record(tape, q, t[2], t[3], interleaved), RopeOp.Record(tape, k, t[2], t[3], interleaved), v, scale, Visibility.Causal);
        }

        double[] Reference(double[][] a)
        {
            double[] made = LinearOp.Reference(a[0], a[1], batch * time, Width, columns, (_, j) => hasBias ? a[4][j] : 0);
            double[] Part(int start, int count) => [.. Enumerable.Range(0, batch * time).SelectMany(row => made.Skip((row * columns) + (start * headDim)).Take(count * headDim))];
            double[] Turned(int start, int count) => RopeOp.Reference(Part(start, count), [.. starts.Select(s => (int)s)], time, count, headDim, interleaved, turned);
            return AttentionCases.Causal(Turned(0, heads), Turned(heads, keyHeads), Part(all, keyHeads), batch, time, heads, keyHeads, headDim);
        }
    }
}
