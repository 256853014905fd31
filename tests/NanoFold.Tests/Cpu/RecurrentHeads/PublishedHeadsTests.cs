using NanoFold.Kernels;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Cpu.RecurrentHeads;

/// <summary>Recurrent heads beside the naive functions of flash-linear-attention: every file of these families, its outputs, final states and gradients.</summary>
[Category("Published")]
public sealed class PublishedHeadsTests : EngineTests
{
    private static IEnumerable<TestCaseData> Files =>
        from path in PublishedHeads.Files.DefaultIfEmpty("")
        from type in new[] { DType.Float64, DType.Float32 }
        select new TestCaseData(path, type).SetArgDisplayNames(Path.GetFileNameWithoutExtension(path), $"{type}");

    [TestCaseSource(nameof(Files))]
    public void HeadsAreThoseOfThePublishedFunction(string path, DType type)
    {
        _ = SharedData.Path("peers/mixer-functions");
        var agreement = new CaseAgreement("mixer-functions", Path.GetFileNameWithoutExtension(path));
        foreach (Isa isa in type == DType.Float64 ? [IsaExtensions.Best] : Paths)
        {
            using var heads = new PublishedHeads(path, Backend(isa), type);
            Compare(agreement, heads, Backend(isa), type, "grad");
            if (heads.Contains("gradstate.q"))
            {
                Compare(agreement, heads, Backend(isa), type, "gradstate");
            }
        }

        agreement.Record();
    }

    /// <summary>The step for one token, which decoding goes by, from the state that the one before left.</summary>
    [TestCaseSource(nameof(Files))]
    public void StepsAreThoseOfThePublishedFunction(string path, DType type)
    {
        _ = SharedData.Path("peers/mixer-functions");
        Backend backend = Backend();
        using var heads = new PublishedHeads(path, backend, type);
        RecurrentHeadsArgs args = heads.Args;
        IKernel<RecurrentHeadsCall> kernel = backend.Require<RecurrentHeadsCall>();
        int[] shape = args.V.Layout.ToShape();
        View y = heads.New(args.V), state = heads.New(View.OfShape(Layout.Of(shape[0], shape[2], args.Q.Layout[3], shape[3]), type));
        if (!args.Initial.IsNone)
        {
            backend.Copy(args.Initial, state);
        }

        for (int t = 0; t < shape[1]; t++)
        {
            var step = new RecurrentHeadsCall
            {
                Args = args with
                {
                    Q = At(args.Q, t), K = At(args.K, t), V = At(args.V, t), Beta = At(args.Beta, t), Decay = args.Decay is { IsNone: false, Layout.Rank: 1 } ? args.Decay : At(args.Decay, t), Initial = state,
                },
                Y = At(y, t),
                Final = state,
            };
            using DeviceBuffer scratch = backend.Allocate(Math.Max(4, kernel.ScratchBytes(step)));
            kernel.Run(step with { Scratch = Room(scratch) });
        }

        double tolerance = type == DType.Float64 ? 1e-12 : 4e-6;
        var agreement = new CaseAgreement("mixer-functions", Path.GetFileNameWithoutExtension(path));
        string places = type == DType.Float64 ? "float64" : "float32";
        agreement.Off(heads.Error(y, "o"), tolerance, $"{places}: step by step");
        if (heads.Contains("final_state"))
        {
            agreement.Off(heads.Error(state, "final_state", isState: true), tolerance, $"{places}: step by step");
        }

        agreement.Record();
    }

    private static View At(in View x, int place) => x.IsNone ? default : x.With(x.Layout.Slice(1, place, 1, out long offset), offset);

    private static void Compare(CaseAgreement agreement, PublishedHeads heads, Backend backend, DType type, string gradients)
    {
        (double tolerance, double gradientTolerance) = type == DType.Float64 ? (1e-12, 1e-12) : (2e-6, 8e-6);
        IKernel<RecurrentHeadsCall> kernel = backend.Require<RecurrentHeadsCall>();
        IKernel<RecurrentHeadsBackwardCall> backward = backend.Require<RecurrentHeadsBackwardCall>();
        RecurrentHeadsArgs args = heads.Args;
        View y = heads.New(args.V), final = heads.Contains("final_state") ? heads.New(heads.State("final_state")) : default;
        var shape = new RecurrentHeadsCall { Args = args, Y = y, Final = final };
        using DeviceBuffer kept = backend.Allocate(Math.Max(4, kernel.KeptBytes(shape)));
        RecurrentHeadsCall call = shape with { Kept = Room(kept) };
        kernel.Run(call);
        var errors = new List<(string Name, double Error)> { ("o", heads.Error(y, "o") / tolerance) };
        if (!final.IsNone)
        {
            errors.Add(("final_state", heads.Error(final, "final_state", isState: true) / tolerance));
        }

        bool throughState = gradients == "gradstate", hasDecay = args.Decay is { IsNone: false, Layout.Rank: > 1 };
        var gradient = new RecurrentHeadsBackwardCall
        {
            Args = args,
            Kept = call.Kept,
            DY = heads.Read("do"),
            Final = throughState ? final : default,
            DFinal = throughState ? heads.State("dht") : default,
            DQ = heads.New(args.Q),
            DK = heads.New(args.K),
            DV = heads.New(args.V),
            DDecay = hasDecay ? heads.New(args.Decay) : default,
            DBeta = args.Beta.IsNone ? default : heads.New(args.Beta),
            DInitial = args.Initial.IsNone ? default : heads.New(args.Initial),
        };
        using DeviceBuffer scratch = backend.Allocate(Math.Max(4, backward.ScratchBytes(gradient)));
        gradient = gradient with { Scratch = Room(scratch) };
        backward.Run(gradient);
        foreach ((string name, View view) in new[]
        {
            ("q", gradient.DQ), ("k", gradient.DK), ("v", gradient.DV), (heads.DecayName, gradient.DDecay), ("beta", gradient.DBeta), ("h0", gradient.DInitial),
        })
        {
            if (!view.IsNone)
            {
                errors.Add(($"{gradients}.{name}", heads.Error(view, $"{gradients}.{name}", isState: name == "h0") / gradientTolerance));
            }
        }

        Assert.That(errors, Is.All.Matches<(string, double Error)>(e => e.Error < 1), "errors by the tolerance");
        string places = type == DType.Float64 ? "float64" : "float32";
        agreement.Off(errors.Where(e => !e.Name.StartsWith("grad", StringComparison.Ordinal)).Max(e => e.Error) * tolerance, tolerance, $"{places}: outputs and states");
        agreement.Off(errors.Where(e => e.Name.StartsWith("grad", StringComparison.Ordinal)).Max(e => e.Error) * gradientTolerance, gradientTolerance, $"{places}: gradients");
    }

    private static View Room(DeviceBuffer buffer) => new(buffer, 0, Layout.Of((int)(buffer.Bytes / 4)), DType.Float32);
}
