using NanoFold.Kernels;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.RecurrentHeads;

/// <summary>Random operands of recurrent heads and what is done with them: the whole pass, decoding in pieces, gradients.</summary>
internal sealed class HeadsRig : IDisposable
{
    public const int Batch = 2, Groups = 1, Heads = 2;

    private readonly List<IDisposable> _owned = [];
    private readonly Backend _backend;
    private readonly DType _type;
    private readonly int _time, _keyWidth, _valueWidth;

    public HeadsRig(Backend backend, DType type, int time, int keyWidth, int valueWidth, HeadDecay decay, bool isDelta, double strongest = 1)
    {
        (_backend, _type, _time, _keyWidth, _valueWidth) = (backend, type, time, keyWidth, valueWidth);
        double key = 1 / Math.Sqrt(keyWidth);
        Args = new RecurrentHeadsArgs
        {
            Q = Random("q", -1, 1, Batch, time, Groups, keyWidth),
            K = Random("k", -key, key, Batch, time, Groups, keyWidth),
            V = Random("v", -1, 1, Batch, time, Heads, valueWidth),
            Decay = decay switch
            {
                HeadDecay.None => default,
                HeadDecay.Constant => Random("decay", -0.1, 0, Heads),
                HeadDecay.Scalar => Random("decay", -strongest, 0, Batch, time, Heads),
                _ => Random("decay", -strongest, 0, Batch, time, Heads, keyWidth),
            },
            Beta = isDelta ? Random("beta", 0, 1, Batch, time, Heads) : default,
            Continues = New([Batch, time], [.. Enumerable.Range(0, Batch * time).Select(i => i % 50 == 7 ? 0.0 : 1)]),
            Scale = 0.5,
        };
    }

    public RecurrentHeadsArgs Args { get; }

    /// <summary>y of all places, and the state after the first <paramref name="counts"/> places of each row.</summary>
    public (double[] Y, double[] State) Whole(int[]? counts = null)
    {
        View y = New(Args.V.Layout.ToShape()), state = State();
        View moved = counts is null ? default : Host.New(_backend, [Batch], counts, _owned);
        _backend.Require<RecurrentHeadsCall>().Run(new RecurrentHeadsCall { Args = Args, Y = y, Final = state, Counts = moved });
        return (Host.Read(_backend, y), Host.Read(_backend, state));
    }

    /// <summary>The same, going on from a state in calls of so many places; row b is given as many as <paramref name="counts"/> says, and the rest of a call is filled.</summary>
    public (double[] Y, double[] State) InPieces(int[] pieces, int[] counts)
    {
        View state = State();
        double[] all = [.. Enumerable.Repeat(0.0, (int)Args.V.Count)];
        int[] at = new int[Batch];
        for (int piece = 0; at.Zip(counts).Any(row => row.First < row.Second); piece++)
        {
            int length = pieces[piece % pieces.Length];
            int[] moved = [.. at.Zip(counts, (first, count) => Math.Clamp(count - first, 0, length))];
            View y = New([Batch, length, Heads, _valueWidth]);
            _backend.Require<RecurrentHeadsCall>().Run(new RecurrentHeadsCall
            {
                Args = Args with
                {
                    Q = Piece(Args.Q, at, length),
                    K = Piece(Args.K, at, length),
                    V = Piece(Args.V, at, length),
                    Decay = Args.Decay is { IsNone: false, Layout.Rank: > 1 } ? Piece(Args.Decay, at, length) : Args.Decay,
                    Beta = Args.Beta.IsNone ? default : Piece(Args.Beta, at, length),
                    Continues = Piece(Args.Continues, at, length),
                    Initial = state,
                },
                Y = y,
                Final = state,
                Counts = Host.New(_backend, [Batch], moved, _owned),
            });
            double[] values = Host.Read(_backend, y);
            int row = Heads * _valueWidth;
            for (int b = 0; b < Batch; b++)
            {
                Array.Copy(values, b * length * row, all, ((b * _time) + at[b]) * row, moved[b] * row);
                Assert.That(values[(((b * length) + moved[b]) * row)..((b + 1) * length * row)], Is.All.Zero, "places that do not move");
                at[b] += moved[b];
            }
        }

        return (all, Host.Read(_backend, state));
    }

    /// <summary>dq, dk, dv, and those of the decay and of beta where they are there.</summary>
    public double[] Gradients()
    {
        IKernel<RecurrentHeadsCall> kernel = _backend.Require<RecurrentHeadsCall>();
        IKernel<RecurrentHeadsBackwardCall> backward = _backend.Require<RecurrentHeadsBackwardCall>();
        var call = new RecurrentHeadsCall { Args = Args, Y = New(Args.V.Layout.ToShape()) };
        call = call with { Kept = Room(kernel.KeptBytes(call)) };
        kernel.Run(call);
        View dDecay = Args.Decay is { IsNone: false, Layout.Rank: > 1 } ? Like(Args.Decay) : default, dBeta = Args.Beta.IsNone ? default : Like(Args.Beta);
        View[] results = [Like(Args.Q), Like(Args.K), Like(Args.V), dDecay, dBeta];
        var gradient = new RecurrentHeadsBackwardCall
        {
            Args = Args, Kept = call.Kept, DY = Random("dy", -1, 1, Args.V.Layout.ToShape()),
            DQ = results[0], DK = results[1], DV = results[2], DDecay = results[3], DBeta = results[4],
        };
        backward.Run(gradient with { Scratch = Room(backward.ScratchBytes(gradient)) });
        return [.. results.Where(view => !view.IsNone).SelectMany(view => Host.Read(_backend, view))];
    }

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    private View State() => New([Batch, Heads, _keyWidth, _valueWidth]);

    private View Like(in View x) => New(x.Layout.ToShape());

    private View Room(long bytes) => Host.New(_backend, DType.Float32, [(int)Math.Max(1, bytes / 4)], new double[Math.Max(1, bytes / 4)], _owned);

    // Places [first, first + length) of each row, what is after the last one not a number.
    private View Piece(in View x, int[] first, int length)
    {
        double[] values = Host.Read(_backend, x);
        int row = values.Length / Batch / _time;
        int[] shape = x.Layout.ToShape();
        shape[1] = length;
        return New(shape, [.. Enumerable.Range(0, Batch * length).SelectMany(i =>
        {
            int place = first[i / length] + (i % length);
            return place < _time ? values[(((i / length * _time) + place) * row)..(((i / length * _time) + place + 1) * row)] : [.. Enumerable.Repeat(double.NaN, row)];
        })]);
    }

    private View Random(string name, double low, double high, params int[] shape) => New(shape, Numbers.Uniform(name, shape.Aggregate(1L, (product, n) => product * n), low, high));

    private View New(int[] shape, double[]? values = null) => Host.New(_backend, _type, shape, values ?? new double[shape.Aggregate(1, (product, n) => product * n)], _owned);
}
