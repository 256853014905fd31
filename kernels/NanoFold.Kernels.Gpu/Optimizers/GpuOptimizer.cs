using ILGPU;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Optimizers;

/// <summary>
/// The optimizers' passes on a GPU, in single precision; what they read of the step's state they read on the device. <see cref="StepSlot.Step"/> has to be
/// at least 1: with 0 the bias correction divides by 0.
/// </summary>
internal sealed class GpuOptimizer(GpuContext context) :
    IKernel<AddSquaresCall>, IKernel<DecideCall>, IKernel<AdamWCall>, IKernel<AdamWTogetherCall>, IKernel<MuonMomentumCall>, IKernel<NormalizeFrobeniusCall>, IKernel<MuonApplyCall>
{
    /// <summary>Groups of a sum of squares at most.</summary>
    private const int MostSums = 1024;

    /// <summary>As above, where each group of the next kernel adds the sums up.</summary>
    private const int MostMatrixSums = 256;

    /// <summary>Groups of a pass that begins with some work for the whole group: many to a processor, so that the last round is a small part of all.</summary>
    private const int MostGroups = 8192;

    /// <summary>Pieces of a thread before another group is worth its sum.</summary>
    private const int PiecesPerThread = 4;

    public void Run(in AddSquaresCall call)
    {
        call.Check();
        Single(AddSquaresCall.Name, call.Gradient);
        ArrayView<double> sums = Squares(call.Gradient, MostSums);
        context.Launch(new AddSumWork { Sums = sums, State = context.Slots(call.State), Count = (int)sums.Length }, 1, context.GroupSize);
    }

    public void Run(in DecideCall call)
    {
        call.Check();
        context.Launch(new DecideWork { State = context.Slots(call.State), Clip = call.Clip, IsDynamic = call.DynamicLossScale ? 1 : 0 }, 1, 1);
    }

    public void Run(in AdamWCall call)
    {
        call.Check();
        Single(AdamWCall.Name, call.Parameter);
        var all = new AdamPart { End = checked((int)call.Parameter.Count), Rate = (int)call.Rate, Decay = call.Decay };
        AdamW(new AdamBody(context, call, default) { A = all, B = all, C = all, D = all });
    }

    public void Run(in AdamWTogetherCall call)
    {
        call.Check();
        Single(AdamWTogetherCall.Name, call.Parameter);
        ReadOnlySpan<UpdatePart> parts = call.Parts.Span;
        var all = new AdamWCall(call.State, call.Parameter, call.Gradient, call.First, call.Second, call.Beta1, call.Beta2, call.Epsilon, 0);
        AdamW(new AdamBody(context, all, call.Rounded) { A = Part(parts, 0), B = Part(parts, 1), C = Part(parts, 2), D = Part(parts, 3) });
    }

    public void Run(in MuonMomentumCall call)
    {
        call.Check();
        Single(MuonMomentumCall.Name, call.Gradient);
        if (AreWhole(call.Gradient, call.Momentum) && AreWhole(call.Update, call.Update))
        {
            MuonMomentum<AlignedPiece>(call);
        }
        else
        {
            MuonMomentum<RaggedPiece>(call);
        }
    }

    public void Run(in NormalizeFrobeniusCall call)
    {
        call.Check();
        Single(NormalizeFrobeniusCall.Name, call.X);
        if (AreWhole(call.X, call.Y))
        {
            NormalizeFrobenius<AlignedPiece>(call);
        }
        else
        {
            NormalizeFrobenius<RaggedPiece>(call);
        }
    }

    public void Run(in MuonApplyCall call)
    {
        call.Check();
        Single(MuonApplyCall.Name, call.Parameter);
        View rounded = call.Rounded.IsNone ? call.Parameter : call.Rounded;
        ByPiece.Run(MuonApplyCall.Name, rounded, AreWhole(call.Parameter, call.Update) && AreWhole(rounded, rounded), new MuonBody(context, call));
    }

    private static void AdamW(in AdamBody body)
    {
        AdamWCall call = body.Call;
        bool isWhole = AreWhole(call.Parameter, call.Gradient) && AreWhole(call.First, call.Second) && (body.Rounded.IsNone || AreWhole(body.Rounded, body.Rounded));
        ByPiece.Run(AdamWCall.Name, body.Rounded.IsNone ? call.Parameter : body.Rounded, isWhole, body);
    }

    private static AdamPart Part(ReadOnlySpan<UpdatePart> parts, int index)
    {
        UpdatePart part = parts[Math.Min(index, parts.Length - 1)];
        return new AdamPart { End = part.End, Rate = (int)part.Rate, Decay = part.Decay };
    }

    private void MuonMomentum<TPiece>(in MuonMomentumCall call)
        where TPiece : struct, IPiece
        => context.Launch(
            new MomentumWork<TPiece>
            {
                Gradient = context.View<F32>(call.Gradient),
                Momentum = context.View<F32>(call.Momentum),
                Update = context.View<F32>(call.Update),
                State = context.Slots(call.State),
                Beta = call.Beta,
                Count = checked((int)call.Gradient.Count),
            },
            Groups(call.Gradient.Count, context.GroupSize), context.GroupSize);

    private void NormalizeFrobenius<TPiece>(in NormalizeFrobeniusCall call)
        where TPiece : struct, IPiece
    {
        View x = call.X;
        ArrayView<double> sums = Squares(x, MostMatrixSums, NormalizeFrobeniusCall.Lift);
        context.Launch(
            new NormalizeWork<TPiece>
            {
                X = context.View<F32>(x),
                Y = context.View<F32>(call.Y),
                Sums = sums,
                State = context.Slots(call.State),
                Groups = (int)sums.Length / 2,
                Count = checked((int)x.Count),
            },
            Groups(x.Count, PiecesPerThread * context.GroupSize), context.GroupSize);
    }

    // With a lift as many sums again, of what is multiplied by it.
    private ArrayView<double> Squares(in View x, int most, float lift = 0)
    {
        int groups = Groups(x.Count, PiecesPerThread * context.GroupSize, most);
        ArrayView<double> sums = context.Scratch((lift == 0 ? 1 : 2) * groups * sizeof(double)).Cast<double>();
        context.Launch(
            new SquareSumWork { X = context.View<F32>(x), Sums = sums, Count = x.Count, Whole = AlignedPiece.Elements(x, x.Count), Lift = lift }, groups, context.GroupSize);
        return sums;
    }

    private static void Single(string op, in View x)
    {
        if (x.Type != DType.Float32)
        {
            Checks.Throw(op, $"{x} on a GPU, expected Float32");
        }
    }

    private static bool AreWhole(in View x, in View y) => x.Count % 4 == 0 && x.Offset % 4 == 0 && y.Offset % 4 == 0;

    private static int Groups(long count, int piecesPerGroup, int most = int.MaxValue)
        => (int)Math.Min(most, (count + 4L * piecesPerGroup - 1) / (4L * piecesPerGroup));

    /// <summary>AdamW over parts, with a rounded copy or none.</summary>
    private readonly struct AdamBody(GpuContext context, AdamWCall call, View rounded) : IPieceBody
    {
        public AdamWCall Call { get; } = call;

        public View Rounded { get; } = rounded;

        public AdamPart A { get; init; }

        public AdamPart B { get; init; }

        public AdamPart C { get; init; }

        public AdamPart D { get; init; }

        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
            => context.Launch(
                new AdamWork<TPiece, T>
                {
                    Parameter = context.View<F32>(Call.Parameter),
                    Gradient = context.View<F32>(Call.Gradient),
                    First = context.View<F32>(Call.First),
                    Second = context.View<F32>(Call.Second),
                    Rounded = context.View<T>(Rounded),
                    Rounds = Rounded.IsNone ? 0 : 1,
                    State = context.Slots(Call.State),
                    A = A,
                    B = B,
                    C = C,
                    D = D,
                    Beta1 = Call.Beta1,
                    Beta2 = Call.Beta2,
                    Epsilon = (float)Call.Epsilon,
                    Count = checked((int)Call.Parameter.Count),
                },
                Groups(Call.Parameter.Count, context.GroupSize, MostGroups), context.GroupSize);
    }

    /// <summary>Muon's step of a matrix, with a rounded copy or none.</summary>
    private readonly struct MuonBody(GpuContext context, MuonApplyCall call) : IPieceBody
    {
        public void Run<T, TPiece>()
            where T : unmanaged, IElement<T>
            where TPiece : struct, IPiece
            => context.Launch(
                new MuonApplyWork<TPiece, T>
                {
                    Parameter = context.View<F32>(call.Parameter),
                    Update = context.View<F32>(call.Update),
                    Rounded = context.View<T>(call.Rounded),
                    Rounds = call.Rounded.IsNone ? 0 : 1,
                    State = context.Slots(call.State),
                    Rate = (int)call.Rate,
                    RateFactor = call.RateFactor,
                    Decay = call.Decay,
                    Count = checked((int)call.Parameter.Count),
                },
                Groups(call.Parameter.Count, context.GroupSize), context.GroupSize);
    }
}
