using NanoFold.Kernels;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.RecurrentHeads;

/// <summary>Recurrent heads of the CPU where the op suite does not look: decoding, strong decays, what a call costs and what it refuses.</summary>
public sealed class RecurrentHeadsTests : EngineTests
{
    private static IEnumerable<TestCaseData> Kinds =>
        from decay in Enum.GetValues<HeadDecay>()
        from isDelta in new[] { false, true }
        select new TestCaseData(decay, isDelta).SetArgDisplayNames($"{decay}", isDelta ? "delta" : "plain");

    /// <summary>Place by place, in steps and in chunks that end elsewhere than those of the whole pass; rows of different lengths.</summary>
    [TestCaseSource(nameof(Kinds))]
    public void DecodingInPiecesIsTheWholePass(HeadDecay decay, bool isDelta)
    {
        const int Time = 150;
        foreach (DType type in new[] { DType.Float64, DType.Float32 })
        {
            using var rig = new HeadsRig(Backend(threads: 2), type, Time, 5, 19, decay, isDelta);
            int[] counts = [Time, 91];
            (double[] y, double[] state) = rig.Whole(counts);
            Assert.That(y[^1], Is.Zero, "a place that does not move");
            foreach (int[] pieces in new int[][] { [1], [67, 1, 3, 16] })
            {
                (double[] piecewise, double[] last) = rig.InPieces(pieces, counts);
                Numbers.AssertClose(piecewise, y, type == DType.Float64 ? 1e-12 : 3e-6, "y");
                Numbers.AssertClose(last, state, type == DType.Float64 ? 1e-12 : 3e-6, "state");
            }
        }
    }

    /// <summary>Factors down to e⁻¹²⁰, of which a few multiply to 0: nothing is divided by them.</summary>
    [TestCaseSource(nameof(Kinds))]
    public void StrongDecaysLoseNothing(HeadDecay decay, bool isDelta)
    {
        foreach (double strongest in new[] { 5.0, 120 })
        {
            using var exact = new HeadsRig(Backend(), DType.Float64, 70, 6, 5, decay, isDelta, strongest);
            (double[] y, _) = exact.Whole();
            (double[] inSteps, _) = exact.InPieces([1], [70, 70]);
            Numbers.AssertClose(y, inSteps, 1e-13, "chunks beside steps");
            double[] gradients = exact.Gradients();
            foreach (Isa isa in Paths)
            {
                using var single = new HeadsRig(Backend(isa), DType.Float32, 70, 6, 5, decay, isDelta, strongest);
                Numbers.AssertClose(single.Whole().Y, y, 2e-6, $"y on {isa}");
                Numbers.AssertClose(single.Gradients(), gradients, 4e-6, $"gradients on {isa}");
            }
        }
    }

    /// <summary>Multiplications of the products, counted pair by pair.</summary>
    [TestCaseSource(nameof(Kinds))]
    public void TheCostIsThatOfTheChunkedForm(HeadDecay decay, bool isDelta)
    {
        const int Time = 150, Chunk = RecurrentHeadsShape.Chunk, Keys = 5, Values = 3;
        using var rig = new HeadsRig(Backend(), DType.Float32, Time, Keys, Values, decay, isDelta);
        long forward = 0, backward = 0;
        for (int t = 0; t < Time; t++)
        {
            int first = t / Chunk * Chunk;
            bool comes = first > 0, goes = first + Chunk < Time;
            for (int s = first; s <= t; s++)
            {
                // q · k and its share of y; once more with the gradients of the score, of q, of k and of v.
                forward += Keys + Values;
                backward += 3 * Keys + 2 * Values;
                if (isDelta && s < t)
                {
                    // k · k and its share of u; the same backward.
                    forward += Keys + Values;
                    backward += 3 * Keys + 2 * Values;
                }
            }

            int state = Keys * Values, read = isDelta ? 2 : 1;
            forward += (comes ? read * state : 0) + (goes ? state : 0);
            backward += (comes ? 2 * read * state : 0) + (goes ? 2 * state : 0);
        }

        View y = View.OfShape(rig.Args.V.Layout, DType.Float32);
        const int Multiplied = 2 * HeadsRig.Batch * HeadsRig.Heads;
        Assert.That(new RecurrentHeadsCall { Args = rig.Args, Y = y }.Cost.Flops, Is.EqualTo(Multiplied * forward));
        Assert.That(new RecurrentHeadsBackwardCall { Args = rig.Args, Kept = y, DY = y }.Cost.Flops, Is.EqualTo(Multiplied * backward));
    }

    [Test]
    public void ACallSaysWhatItExpected()
    {
        IKernel<RecurrentHeadsCall> kernel = Backend().Require<RecurrentHeadsCall>();
        View Of(params int[] shape) => View.OfShape(Layout.Of(shape), DType.Float32);
        var call = new RecurrentHeadsCall { Args = new RecurrentHeadsArgs { Q = Of(2, 3, 2, 4), K = Of(2, 3, 2, 4), V = Of(2, 3, 4, 5), Scale = 1 }, Y = Of(2, 3, 4, 5) };
        void Refuses(RecurrentHeadsCall wrong, string message)
            => Assert.That(() => kernel.Run(wrong), Throws.ArgumentException.With.Message.EqualTo($"recurrent-heads: {message}"));
        Refuses(call with { Args = call.Args with { V = Of(2, 3, 3, 5) } }, "v is Float32[2, 3, 3, 5], expected [2, 3, H, DV] with H a multiple of 2");
        Refuses(call with { Args = call.Args with { Decay = Of(2, 3, 2) } }, "decay is Float32[2, 3, 2], expected [4], [2, 3, 4] or [2, 3, 4, 4], rows of stride 1");
        Refuses(call with { Args = call.Args with { Beta = Of(2, 3, 2) } }, "beta is Float32[2, 3, 2], expected [2, 3, 4], rows of stride 1");
        Refuses(call with { Final = Of(2, 4, 4, 4) }, "final is Float32[2, 4, 4, 4], expected 160 contiguous elements of Float32");
        Refuses(call with { Y = Of(2, 3, 4, 4) }, "y is Float32[2, 3, 4, 4], expected Float32[2, 3, 4, 5]");
    }
}
