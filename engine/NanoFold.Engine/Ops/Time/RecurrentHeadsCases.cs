using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels.Calls.RecurrentHeads;

namespace NanoFold.Engine.Ops;

/// <summary>A case of <see cref="RecurrentHeadsOp"/>: sizes, kind of decay and rule, and its reference, one place after the other.</summary>
internal sealed record RecurrentHeadsCase(int Batch, int Time, int Groups, int Heads, int KeyWidth, int ValueWidth, HeadDecay Decay, bool IsDelta)
{
    private const double Scale = 0.7;

    /// <summary>Documents begin inside of rows.</summary>
    public bool HasDocuments { get; init; }

    public bool HasInitial { get; init; }

    /// <summary>The last state is an output too.</summary>
    public bool GivesState { get; init; }

    public static IEnumerable<OpCase> All =>
    [
        .. Enum.GetValues<HeadDecay>().SelectMany(decay => new[] { false, true }.Select(isDelta =>
            new RecurrentHeadsCase(2, 6, 1, 2, 3, 4, decay, isDelta) { HasDocuments = isDelta, HasInitial = decay == HeadDecay.Scalar }.Case)),
        // Several heads of v to one of q and k, in one part and in several.
        new RecurrentHeadsCase(16, 2, 1, 2, 3, 2, HeadDecay.Vector, false).Case,
        new RecurrentHeadsCase(5, 3, 1, 8, 2, 3, HeadDecay.Scalar, true).Case,
        new RecurrentHeadsCase(1, 133, 1, 1, 2, 3, HeadDecay.None, false) { HasInitial = true }.Case,
        new RecurrentHeadsCase(1, 133, 1, 1, 2, 3, HeadDecay.Scalar, true) { HasDocuments = true, GivesState = true }.Case,
        new RecurrentHeadsCase(2, 6, 1, 2, 3, 4, HeadDecay.Vector, false) { HasInitial = true, GivesState = true }.Case,
        new RecurrentHeadsCase(1, 133, 1, 1, 2, 3, HeadDecay.Vector, true) { HasDocuments = true, HasInitial = true }.Case,
        new RecurrentHeadsCase(1, 40, 1, 1, 20, 18, HeadDecay.Scalar, true).Case,
        new RecurrentHeadsCase(1, 40, 1, 1, 20, 18, HeadDecay.Vector, false).Case,
        new RecurrentHeadsCase(1, 40, 1, 1, 20, 18, HeadDecay.Vector, true).Case,
    ];

    public static IEnumerable<OpCase> At(BlockShape s)
    {
        foreach (HeadDecay decay in Enum.GetValues<HeadDecay>())
        {
            foreach (bool isDelta in new[] { false, true })
            {
                OpCase made = new RecurrentHeadsCase(s.Batch, s.Time, s.Heads, s.Heads, s.HeadDim, s.HeadDim, decay, isDelta).Case;
                yield return made with { Name = made.Name.Replace("recurrent-heads", $"recurrent-heads {s.Name}", StringComparison.Ordinal) };
            }
        }
    }

    public OpCase Case
    {
        get
        {
            // Keys of length below 1 on average, so that the delta rule does not grow.
            double key = Math.Min(1, 1.7 / Math.Sqrt(KeyWidth));
            List<OpInput> inputs = [OpInput.Real(Batch, Time, Groups, KeyWidth), new([Batch, Time, Groups, KeyWidth], -key, key), OpInput.Real(Batch, Time, Heads, ValueWidth)];
            int Next(OpInput? input)
            {
                if (input is not null)
                {
                    inputs.Add(input);
                }

                return input is null ? -1 : inputs.Count - 1;
            }

            int decay = Next(Decay switch
            {
                HeadDecay.None => null,
                HeadDecay.Constant => new OpInput([Heads]) { Values = [.. Enumerable.Range(0, Heads).Select(h => -0.25 / (1 << h))] },
                HeadDecay.Scalar => new OpInput([Batch, Time, Heads], -1, 0),
                _ => new OpInput([Batch, Time, Heads, KeyWidth], -1, 0),
            });
            int beta = Next(IsDelta ? new OpInput([Batch, Time, Heads], 0, 1) : null);
            IEnumerable<double> goesOn = Enumerable.Range(0, Batch * Time).Select(i => i % 29 == 4 || (i % Time == 0 && i % 2 == 0) ? 0.0 : 1);
            int continues = Next(HasDocuments ? new OpInput([Batch, Time]) { Values = [.. goesOn] } : null);
            int initial = Next(HasInitial ? OpInput.Real(Batch, Heads, KeyWidth, ValueWidth) : null);
            Tensor Of(Tensor[] t, int index) => index < 0 ? default : t[index];
            double[]? Values(double[][] v, int index) => index < 0 ? null : v[index];
            string also = $"{(HasDocuments ? ", documents" : "")}{(HasInitial ? ", initial" : "")}{(GivesState ? ", last state" : "")}";
            string name = $"recurrent-heads {(IsDelta ? "delta" : "plain")}, decay {Decay}{also} [{Batch}, {Time}, {Groups}, {KeyWidth}] to [{Heads}, {ValueWidth}]";
            return new OpCase(name, [.. inputs],
                (tape, t) => GivesState
                    ? RecurrentHeadsOp.RecordWithState(tape, t[0], t[1], t[2], Of(t, decay), Of(t, beta), Of(t, continues), Scale, Of(t, initial))
                    : RecurrentHeadsOp.Record(tape, t[0], t[1], t[2], Of(t, decay), Of(t, beta), Of(t, continues), Scale, Of(t, initial)),
                v => Reference(v[0], v[1], v[2], Values(v, decay), Values(v, beta), Values(v, continues), Values(v, initial)))
            { Tolerance = 5e-6 };
        }
    }

    private double[] Reference(double[] q, double[] k, double[] v, double[]? decay, double[]? beta, double[]? continues, double[]? initial)
    {
        var y = new double[v.Length];
        List<double> states = [];
        for (int b = 0; b < Batch; b++)
        {
            for (int h = 0; h < Heads; h++)
            {
                int size = KeyWidth * ValueWidth, state = ((b * Heads) + h) * size;
                double[] s = initial is null ? new double[size] : initial[state..(state + size)];
                for (int t = 0; t < Time; t++)
                {
                    int place = (b * Time) + t, head = (place * Heads) + h, key = ((place * Groups) + (h / (Heads / Groups))) * KeyWidth;
                    for (int i = 0; i < size; i++)
                    {
                        double log = decay is null ? 0 : Decay switch { HeadDecay.Constant => decay[h], HeadDecay.Scalar => decay[head], _ => decay[(head * KeyWidth) + (i / ValueWidth)] };
                        s[i] *= continues is not null && continues[place] == 0 ? 0 : Math.Exp(log);
                    }

                    for (int j = 0; j < ValueWidth; j++)
                    {
                        double Read(double[] x) => Enumerable.Range(0, KeyWidth).Sum(d => x[key + d] * s[(d * ValueWidth) + j]);
                        double u = v[(head * ValueWidth) + j];
                        u = beta is null ? u : beta[head] * (u - Read(k));
                        for (int d = 0; d < KeyWidth; d++)
                        {
                            s[(d * ValueWidth) + j] += k[key + d] * u;
                        }

                        y[(head * ValueWidth) + j] = Scale * Read(q);
                    }
                }

                states.AddRange(GivesState ? s : []);
            }
        }

        return [.. y, .. states];
    }
}
