using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>Decays, sink logits and heads of values, over more queries and keys than a block or a part of the backward pass has.</summary>
public class ScoreTermTests : EngineTests
{
    private const int Time = 420, Heads = 4;

    /// <summary>Published functions that are compared with here.</summary>
    public static IReadOnlyList<string> Published => ["forgetting", "forgetting-gqa", "forgetting-window", "sink-logits", "sink-logits-window"];

    /// <summary>Small decays and steep ones, that hide all but a few tokens.</summary>
    [TestCase(0.01)]
    [TestCase(3.0)]
    public void TheFusedKernelAgreesWithTheComposedPathBeyondItsBlocks(double decay)
    {
        double[] sums = [.. Enumerable.Range(0, Heads * Time).Select(i => -decay * (i % Time) * (1 + (i / Time)))];
        OpInput[] inputs =
        [
            OpInput.Real(1, Time, Heads, 8), OpInput.Real(1, Time, 2, 8), OpInput.Real(1, Time, 1, 12), new OpInput([1, Heads, Time]) { Values = sums, IsTable = true },
            new OpInput([1, Heads, Time], 0, 0.1) { IsTable = true }, OpInput.Weight(Heads),
        ];
        var opCase = new OpCase(
            "attention", inputs, (tape, x) => AttentionOp.Record(tape, x[0], x[1], x[2], 0.4, Visibility.Causal, new ScoreTerms(AddOp.Record(tape, x[3], x[4]), x[5])), _ => []);
        using var fused = new OpRun(opCase, Backend(threads: 1), DType.Float32);
        using var composed = new OpRun(opCase, Backend(composedOnly: true), DType.Float64);
        double[] output = fused.Run(), gradients = fused.Gradients();
        // Sums of hundreds, whose differences count: each rounding of them is one of a score.
        Numbers.AssertClose(output, composed.Run(), 2e-5 * Math.Max(1, decay * 10), "y");
        Numbers.AssertClose(gradients, composed.Gradients(), 4e-5 * Math.Max(1, decay * 10), "gradients");
        using var threads = new OpRun(opCase, Backend(threads: 3), DType.Float32);
        Numbers.AssertSameBits(threads.Run(), output, "y on 3 threads");
        Numbers.AssertSameBits(threads.Gradients(), gradients, "gradients on 3 threads");
    }

    /// <summary>With all keys and with a window, where nearly all scores are at the cap and where few are.</summary>
    [TestCase(0, 4.0)]
    [TestCase(50, 0.3)]
    public void ScoresThatLevelOffAgreeWithTheComposedPathBeyondBlocks(int window, double scale)
    {
        OpInput[] inputs = [OpInput.Real(1, Time, Heads, 8), OpInput.Real(1, Time, 2, 8), OpInput.Real(1, Time, 1, 12), OpInput.Weight(Heads)];
        var opCase = new OpCase(
            "attention", inputs,
            (tape, x) => AttentionOp.Record(tape, x[0], x[1], x[2], scale, Visibility.Causal with { Window = window }, new ScoreTerms(default, x[3]) { Cap = 1.5 }), _ => []);
        using var fused = new OpRun(opCase, Backend(threads: 1), DType.Float32);
        using var composed = new OpRun(opCase, Backend(composedOnly: true), DType.Float64);
        double[] output = fused.Run(), gradients = fused.Gradients();
        Numbers.AssertClose(output, composed.Run(), 2e-5, "y");
        Numbers.AssertClose(gradients, composed.Gradients(), 4e-5, "gradients");
        using var threads = new OpRun(opCase, Backend(threads: 3), DType.Float32);
        Numbers.AssertSameBits(threads.Run(), output, "y on 3 threads");
        Numbers.AssertSameBits(threads.Gradients(), gradients, "gradients on 3 threads");
    }

    [Category("Published")]
    [TestCaseSource(nameof(Published))]
    public void AttentionIsThatOfThePublishedFunction(string name)
    {
        var agreement = new CaseAgreement("mixer-functions", name);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"peers/mixer-functions/{name}.safetensors"));
        CpuBackend backend = Backend();
        var owned = new List<IDisposable>();
        double[] Values(string tensor)
        {
            var values = new double[file[tensor].Count];
            file.Read(tensor, values);
            return values;
        }

        View New(int[] shape, double[]? values = null) => Host.New(backend, DType.Float64, shape, values ?? new double[shape.Aggregate(1, (a, b) => a * b)], owned);
        int[] Shape(string tensor) => Array.ConvertAll(file[tensor].Shape.ToArray(), n => (int)n);
        View Read(string tensor) => New(Shape(tensor), Values(tensor));
        bool decays = file.Find("g") is not null;
        int[] queries = Shape("q"), outputs = Shape("o"), rows = [queries[0], queries[2], queries[1]];
        int window = file.Metadata["window"] is "None" ? 0 : int.Parse(file.Metadata["window"], System.Globalization.CultureInfo.InvariantCulture);
        var args = new AttentionArgs
        {
            Q = Read("q"),
            K = Read("k"),
            V = Read("v"),
            Y = New(outputs),
            LogSumExp = New(rows),
            Scale = 1 / Math.Sqrt(queries[3]),
            Visible = Visible.Causal with { Window = window },
            Decay = decays ? New(rows, Sums(Values("g"), queries, reverse: false)) : default,
            SinkLogits = decays ? default : Read("sinks"),
        };
        var gradients = new AttentionGradients
        {
            DY = Read("do"),
            DQ = New(queries),
            DK = New(Shape("k")),
            DV = New(Shape("v")),
            DDecay = decays ? New(rows) : default,
            DSinkLogits = decays ? default : New([queries[2]]),
            Scratch = default,
        };
        backend.Run(new AttentionCall(args));
        backend.Run(new AttentionBackwardCall(args, gradients));
        agreement.Close(Host.Read(backend, args.Y), Values("o"), 1e-12, "outputs");
        agreement.Close(Host.Read(backend, gradients.DQ), Values("grad.q"), 1e-12, "gradients", "dq");
        agreement.Close(Host.Read(backend, gradients.DK), Values("grad.k"), 1e-12, "gradients", "dk");
        agreement.Close(Host.Read(backend, gradients.DV), Values("grad.v"), 1e-12, "gradients", "dv");
        if (decays)
        {
            double[] dg = Sums(Host.Read(backend, gradients.DDecay), [queries[0], queries[2], queries[1]], reverse: true);
            agreement.Close(dg, Values("grad.g"), 1e-12, "gradients", "dg");
        }
        else
        {
            agreement.Close(Host.Read(backend, gradients.DSinkLogits), Values("grad.sinks"), 1e-12, "gradients", "dsinks");
        }

        agreement.Record();
        owned.ForEach(o => o.Dispose());
    }

    [Test]
    public void TermsOfAnotherShapeAreRefused()
    {
        CpuBackend backend = Backend();
        var owned = new List<IDisposable>();
        View New(params int[] shape) => Host.New(backend, DType.Float32, shape, new double[shape.Aggregate(1, (a, b) => a * b)], owned);
        View x = New(1, 5, 4, 8);
        var args = new AttentionArgs { Q = x, K = x, V = x, Y = New(1, 5, 4, 8), LogSumExp = New(1, 4, 5), Scale = 1, Visible = Visible.Causal };
        Assert.That(() => backend.Run(new AttentionCall(args with { Decay = New(1, 5, 4) })),
            Throws.ArgumentException.With.Message.EqualTo("fused-attention: decay must be Float32[1, 4, 5], got Float32[1, 5, 4]"));
        Assert.That(() => backend.Run(new AttentionCall(args with { SinkLogits = New(5) })),
            Throws.ArgumentException.With.Message.EqualTo("fused-attention: sink logits must be Float32[4], got Float32[5]"));
        Assert.That(() => backend.Run(new AttentionCall(args with { Cap = 1, Decay = New(1, 4, 5) })),
            Throws.ArgumentException.With.Message.EqualTo("fused-attention: cap is 1, expected at least 0, and 0 with decays"));
        Assert.That(() => backend.Run(new AttentionCall(args with { V = New(1, 5, 3, 8) })),
            Throws.ArgumentException.With.Message.EqualTo("fused-attention: 4 key heads are not a multiple of 3 value heads"));
        owned.ForEach(o => o.Dispose());
    }

    // Running sums [B, H, T] of x [B, T, H]; in reverse those from the end [B, T, H] of x [B, H, T].
    private static double[] Sums(double[] x, int[] shape, bool reverse)
    {
        (int batch, int first, int second) = (shape[0], shape[1], shape[2]);
        var y = new double[x.Length];
        (int time, int heads) = reverse ? (second, first) : (first, second);
        for (int pair = 0; pair < batch * heads; pair++)
        {
            double sum = 0;
            for (int i = 0; i < time; i++)
            {
                int t = reverse ? time - 1 - i : i, wide = (pair * time) + t, deep = ((((pair / heads) * time) + t) * heads) + (pair % heads);
                sum += x[reverse ? wide : deep];
                y[reverse ? deep : wide] = sum;
            }
        }

        return y;
    }
}
