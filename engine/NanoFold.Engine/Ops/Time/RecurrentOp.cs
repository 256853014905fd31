using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;

namespace NanoFold.Engine.Ops;

/// <summary>
/// A recurrent cell along time with a dense product of its state at each place: see <see cref="RecurrentCall{TCell}"/>. x [B, T, G · N] is what the inputs bring to the
/// G gates (one linear layer for all places), weight [G · N, D] with D = N, or block-diagonal with N = heads · D, bias [G · N] or none, continues [B, T] or none.
/// </summary>
/// <typeparam name="TCell">The cell: <see cref="Gru"/>, <see cref="Lstm"/>, <see cref="Rnn"/>.</typeparam>
public sealed class RecurrentOp<TCell>(IKernel<RecurrentCall<TCell>> kernel, IKernel<RecurrentBackwardCall<TCell>>? backward) : Op
    where TCell : struct, IRecurrentCell
{
    private const int X = 0, Weight = 1, Bias = 2, Continues = 3, Initial = 4, Counts = 5;

    public override string Name => TCell.Name;

    /// <summary>Decoding replaces its state.</summary>
    public override bool HasSideEffects => backward is null;

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, T, G · N].</param>
    /// <param name="weight">[G · N, D].</param>
    /// <param name="bias">[G · N], or none.</param>
    /// <param name="continues">[B, T], or none.</param>
    /// <param name="initial">State before the first place, [B, S · N], or none for 0.</param>
    /// <returns>The first vector of the state at each place, [B, T, N], and the last state, [B, S · N], in the type of sums.</returns>
    public static (Tensor States, Tensor Final) Record(Tape tape, Tensor x, Tensor weight, Tensor bias = default, Tensor continues = default, Tensor initial = default)
    {
        Layout output = Output(x, weight);
        var op = new RecurrentOp<TCell>(tape.Backend.Require<RecurrentCall<TCell>>(), tape.Backend.Require<RecurrentBackwardCall<TCell>>());
        (Layout, DType) states = (output, tape.Type), final = (Layout.Of(x[0], TCell.States * output[2]), tape.Type.Sum());
        Tensor[] outputs = tape.Record(op, [x, weight, bias, continues, initial, default], TCell.Saved > 0 && tape.KeepsForGradient
            ? [states, final, (Layout.Of(x[0], x[1], TCell.Saved * output[2]), tape.Type)]
            : [states, final]);
        return (outputs[0], outputs[1]);
    }

    /// <summary>
    /// Goes on from <paramref name="state"/> [B, S · N] by <paramref name="counts"/>[b] places of each row and leaves the state after them there; no gradient.
    /// </summary>
    public static Tensor Decode(Tape tape, Tensor x, Tensor weight, Tensor bias, Tensor state, Tensor counts, Tensor continues = default)
    {
        var op = new RecurrentOp<TCell>(tape.Backend.Require<RecurrentCall<TCell>>(), null);
        return tape.Record(op, [x, weight, bias, continues, state, counts], Output(x, weight));
    }

    public override bool IsDifferentiable(int input) => backward is not null && input is X or Weight or Bias or Initial;

    public override bool BackwardReadsInput(int input) => input is Weight or Continues or Initial;

    public override bool BackwardReadsOutput(int output) => output != 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(Values(call));

    public override void Backward(Backend backend, OpCall call)
    {
        call.ZeroUnlessAccumulating(backend, Weight);
        call.ZeroUnlessAccumulating(backend, Bias);
        backward!.Run(Gradients(call));
    }

    public override long ForwardScratchBytes(Node node) => kernel.ScratchBytes(Values(OpCall.OfShapes(node)));

    public override long BackwardScratchBytes(Node node) => backward!.ScratchBytes(Gradients(OpCall.OfShapes(node)));

    internal static IEnumerable<OpCase> Cases(RecurrentReference reference)
    {
        int gates = TCell.Gates;
        foreach ((int b, int t, int n, int d) in new[] { (1, 1, 1, 1), (2, 2, 3, 3), (3, 7, 5, 5), (7, 5, 34, 34), (2, 6, 12, 4), (1, 4, 70, 35), (3, 2, 6, 3) })
        {
            yield return new OpCase($"{TCell.Name} [{b}, {t}, {n}] by {d}", [OpInput.Real(b, t, gates * n), OpInput.Weight(gates * n, d)],
                (tape, x) => Record(tape, x[0], x[1]), v => reference.Run(v[0], v[1], null, null, null, b, t, n, d))
            { Tolerance = 5e-6 };
            double[] continues = [.. Enumerable.Range(0, b * t).Select(i => i % 5 == 3 || i % t == 0 && i % 2 == 0 ? 0.0 : 1)];
            yield return new OpCase($"{TCell.Name} of documents [{b}, {t}, {n}] by {d}",
                [OpInput.Real(b, t, gates * n), OpInput.Weight(gates * n, d), OpInput.Weight(gates * n), OpInput.Real(b, TCell.States * n), new OpInput([b, t]) { Values = continues }],
                (tape, x) => Record(tape, x[0], x[1], x[2], x[4], x[3]), v => reference.Run(v[0], v[1], v[2], v[3], continues, b, t, n, d))
            { Tolerance = 5e-6 };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s, RecurrentReference reference)
    {
        (int b, int t, int n, double range) = (s.Batch, s.Time, s.Width, 1 / Math.Sqrt(s.Width));
        yield return new OpCase($"{TCell.Name} {s.Name} [{b}, {t}, {n}]",
            [OpInput.Real(b, t, TCell.Gates * n), new OpInput([TCell.Gates * n, n], -range, range) { IsWeight = true }],
            (tape, x) => Record(tape, x[0], x[1]).States, v => reference.Run(v[0], v[1], null, null, null, b, t, n, n)[..(b * t * n)])
        { Tolerance = 5e-6 };
    }

    private static RecurrentCall<TCell> Values(OpCall call) => new()
    {
        X = call.Input(X),
        Weight = call.Input(Weight),
        Rounding = call.Rounding,
        Bias = call.Input(Bias),
        Continues = call.Input(Continues),
        Counts = call.Input(Counts),
        Initial = call.Input(Initial),
        H = call.Output(0),
        Final = call.Node.Outputs.Count > 1 ? call.Output(1) : call.Input(Initial),
        Saved = Saved(call),
        Scratch = call.Scratch,
    };

    private static RecurrentBackwardCall<TCell> Gradients(OpCall call) => new()
    {
        Weight = call.Input(Weight),
        Rounding = call.Rounding,
        H = call.Output(0),
        Saved = Saved(call),
        Continues = call.Input(Continues),
        Initial = call.Input(Initial),
        DH = call.OutputGradient(0),
        DFinal = call.OutputGradient(1),
        DX = call.InputGradient(X),
        AccumulateX = call.Accumulates(X),
        DWeight = call.InputGradient(Weight),
        DBias = call.InputGradient(Bias),
        DInitial = call.InputGradient(Initial),
        AccumulateInitial = call.Accumulates(Initial),
        Scratch = call.Scratch,
    };

    // Kept for the backward pass only.
    private static View Saved(OpCall call) => call.Node.Outputs.Count > 2 ? call.Output(2) : default;

    private static Layout Output(Tensor x, Tensor weight)
    {
        bool fits = x.Layout.Rank == 3 && weight.Layout.Rank == 2 && x[2] == weight[0] && x[2] % TCell.Gates == 0 && x[2] / TCell.Gates % weight[1] == 0;
        return fits
            ? Layout.Of(x[0], x[1], x[2] / TCell.Gates)
            : throw new ArgumentException($"{TCell.Name}: x {x} and weight {weight}; expected [B, T, {TCell.Gates} · N] and [{TCell.Gates} · N, D], N a multiple of D");
    }
}

/// <summary>Naive recurrent cells in float64.</summary>
/// <param name="States">Vectors of the state.</param>
/// <param name="Cell">From what the input and the state brought to each gate, and the state before, of one unit: its new state.</param>
internal sealed record RecurrentReference(int States, Func<double[], double[], double[], double[]> Cell)
{
    /// <summary>σ of both.</summary>
    private static double Gate(double[] input, double[] hidden, int gate) => 1 / (1 + Math.Exp(-input[gate] - hidden[gate]));

    public static RecurrentReference Rnn { get; } = new(1, (x, h, _) => [Math.Tanh(x[0] + h[0])]);

    public static RecurrentReference Gru { get; } = new(1, (x, h, state) =>
    {
        double z = Gate(x, h, 1), n = Math.Tanh(x[2] + Gate(x, h, 0) * h[2]);
        return [(1 - z) * n + z * state[0]];
    });

    public static RecurrentReference Lstm { get; } = new(2, (x, h, state) =>
    {
        double cell = Gate(x, h, 1) * state[1] + Gate(x, h, 0) * Math.Tanh(x[2] + h[2]);
        return [Gate(x, h, 3) * Math.Tanh(cell), cell];
    });

    /// <summary>All states' first vectors, then the last states.</summary>
    public double[] Run(double[] x, double[] weight, double[]? bias, double[]? initial, double[]? continues, int batch, int time, int width, int depth)
    {
        int gates = weight.Length / width / depth;
        var all = new double[batch * time * width];
        double[] last = initial is null ? new double[batch * States * width] : [.. initial];
        for (int b = 0; b < batch; b++)
        {
            Span<double> state = last.AsSpan(b * States * width, States * width);
            for (int t = 0; t < time; t++)
            {
                if (continues is not null && continues[b * time + t] == 0)
                {
                    state.Clear();
                }

                double[] before = state.ToArray();
                for (int n = 0; n < width; n++)
                {
                    int[] rows = [.. Enumerable.Range(0, gates).Select(g => g * width + n)];
                    double[] input = [.. rows.Select(row => x[(b * time + t) * gates * width + row])];
                    double[] hidden = [.. rows.Select(row => (bias?[row] ?? 0) + Enumerable.Range(0, depth).Sum(k => weight[row * depth + k] * before[n / depth * depth + k]))];
                    double[] next = Cell(input, hidden, [.. Enumerable.Range(0, States).Select(s => before[s * width + n])]);
                    for (int s = 0; s < States; s++)
                    {
                        state[s * width + n] = next[s];
                    }

                    all[(b * time + t) * width + n] = next[0];
                }
            }
        }

        return [.. all, .. last];
    }
}
