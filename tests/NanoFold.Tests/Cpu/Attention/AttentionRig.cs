using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Attention.Listed;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>Guarded tensors of one attention problem, and its kernels run over them.</summary>
internal sealed class AttentionRig : IDisposable
{
    private readonly AttentionReference _reference;
    private readonly GuardedTensor? _documents, _prefixes, _lists, _counts;
    private readonly BlockTable _blocks;
    private readonly NativeBuffer? _scratch;
    private readonly View _scratchView;

    /// <param name="strided">q, k, v are parts of wider rows, as of a fused projection.</param>
    public AttentionRig(AttentionReference reference, DType type = DType.Float32, bool strided = false, int seed = 1, double spread = 1.5)
    {
        _reference = reference;
        AttentionReference r = reference;
        var random = new Random(seed);
        int of = strided ? 3 : 1;
        int[] queries = [r.Batch, r.Time, r.Heads, r.Depth], outputs = [r.Batch, r.Time, r.Heads, r.ValueDepth];
        int[] keys = [r.Batch, r.Keys, r.KeyHeads, r.Depth], values = [r.Batch, r.Keys, r.KeyHeads, r.ValueDepth];
        Q = new GuardedTensor(type, queries, strided ? 1 : 0, of).Fill(random, spread);
        K = new GuardedTensor(type, keys, strided ? 2 : 0, of).Fill(random, spread);
        V = new GuardedTensor(type, values, 0, of).Fill(random);
        DY = new GuardedTensor(type, outputs, 0, of).Fill(random);
        Y = new GuardedTensor(type, outputs, 0, of);
        DQ = new GuardedTensor(type, queries, 0, of);
        DK = new GuardedTensor(type, keys, strided ? 1 : 0, of);
        DV = new GuardedTensor(type, values, strided ? 2 : 0, of);
        LogSumExp = new GuardedTensor(type, [r.Batch, r.Heads, r.Time]);
        Kept = new GuardedTensor(DType.Int32, [r.Batch, r.Heads, r.Time * Math.Max(1, r.TopK)]);
        _documents = Integers(r.Documents, [r.Batch, r.Keys]);
        _prefixes = Integers(r.Prefixes, [r.Batch]);
        if (r.Blocks is { } blocks)
        {
            int rows = (r.Time + r.QuerySize - 1) / r.QuerySize, most = blocks.Max(b => b.Length) + 1;

            // After the end of a list stands what nobody may read.
            _lists = Integers([.. blocks.SelectMany(b => b.Concat(Enumerable.Repeat(-9, most - b.Length)))], [r.Batch * r.Heads, rows, most]);
            _counts = Integers([.. blocks.Select(b => b.Length)], [r.Batch, r.Heads, rows]);
            _blocks = new BlockTable { Lists = _lists!.View, Counts = _counts!.View, QuerySize = r.QuerySize, KeySize = r.KeySize };
        }

        using var context = new CpuContext(1, Isa.Scalar);
        long bytes = new CpuFusedAttention(context).ScratchBytes(new AttentionBackwardCall(Args, Gradients()));
        if (bytes > 0)
        {
            _scratch = new NativeBuffer(bytes);
            _scratchView = new View(_scratch, 0, Layout.Of(checked((int)(bytes / 4))), DType.Float32);
        }
    }

    public GuardedTensor Q { get; }

    public GuardedTensor K { get; }

    public GuardedTensor V { get; }

    public GuardedTensor Y { get; }

    public GuardedTensor LogSumExp { get; }

    public GuardedTensor DY { get; }

    public GuardedTensor DQ { get; }

    public GuardedTensor DK { get; }

    public GuardedTensor DV { get; }

    public GuardedTensor Kept { get; }

    public View KeptView => Kept.View.With(Layout.Of(_reference.Batch, _reference.Heads, _reference.Time, _reference.TopK));

    public AttentionArgs Args => new()
    {
        Q = Q.View,
        K = K.View,
        V = V.View,
        Y = Y.View,
        LogSumExp = LogSumExp.View,
        Scale = _reference.Scale,
        Visible = new Visible
        {
            Kind = _reference.Kind,
            Window = _reference.Window,
            Sinks = _reference.Sinks,
            Prefixes = _prefixes?.View ?? default,
            Documents = _documents?.View ?? default,
            Blocks = _blocks,
        },
    };

    public KeptKeys Lists => new(KeptView, 1, default, default);

    public void Select(CpuKeySelection selection)
        => selection.Run(new SelectKeysCall { Q = Q.View, K = K.View, Kept = KeptView, Scale = _reference.Scale, Visible = Args.Visible, KeySize = 1 });

    public AttentionGradients Gradients(bool accumulate = false) => new()
    {
        DY = DY.View,
        DQ = DQ.View,
        DK = DK.View,
        DV = DV.View,
        AccumulateQ = accumulate,
        AccumulateK = accumulate,
        AccumulateV = accumulate,
        Scratch = _scratchView,
    };

    public void Forward(CpuContext context)
    {
        if (_reference.TopK > 0)
        {
            Select(new CpuKeySelection(context));
            new CpuKeyListAttention(context).Run(new KeyListAttentionCall(Args, Lists));
        }
        else
        {
            new CpuFusedAttention(context).Run(new AttentionCall(Args));
        }
    }

    public void Backward(CpuContext context, bool accumulate = false)
    {
        if (_reference.TopK > 0)
        {
            new CpuKeyListAttention(context).Run(new KeyListAttentionBackwardCall(Args, Lists, Gradients(accumulate)));
        }
        else
        {
            new CpuFusedAttention(context).Run(new AttentionBackwardCall(Args, Gradients(accumulate)));
        }
    }

    /// <summary>Every output against the reference; the gradients had <paramref name="before"/> in them when they were added to.</summary>
    public void AssertMatches(double tolerance, double before = 0)
    {
        double[] q = Q.ToArray(), k = K.ToArray(), v = V.ToArray(), dy = DY.ToArray();
        double[] y = _reference.Forward(q, k, v, out double[] logSumExp);
        (double[] dq, double[] dk, double[] dv) = _reference.Backward(q, k, v, dy);
        AssertClose("y", Y, y, tolerance);
        AssertClose("log-sum-exp", LogSumExp, logSumExp, tolerance);
        AssertClose("dq", DQ, dq, tolerance, before);
        AssertClose("dk", DK, dk, tolerance, before);
        AssertClose("dv", DV, dv, tolerance, before);
        AssertGuards();
    }

    public void AssertGuards()
    {
        foreach (GuardedTensor tensor in new[] { Q, K, V, Y, LogSumExp, DY, DQ, DK, DV, Kept })
        {
            tensor.AssertGuards();
        }
    }

    public static void AssertClose(string name, GuardedTensor actual, double[] expected, double tolerance, double before = 0)
    {
        double largest = expected.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max() + Math.Abs(before);
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(actual[i] - before - expected[i]);
            if (actual[i] != expected[i] && !(error <= tolerance * Math.Max(0.1, largest)))
            {
                Assert.Fail($"{name}[{i}]: expected {expected[i] + before}, got {actual[i]}");
            }
        }
    }

    public void Dispose()
    {
        foreach (GuardedTensor tensor in new[] { Q, K, V, Y, LogSumExp, DY, DQ, DK, DV, Kept })
        {
            tensor.Dispose();
        }

        foreach (GuardedTensor? tensor in new[] { _documents, _prefixes, _lists, _counts })
        {
            tensor?.Dispose();
        }

        _scratch?.Dispose();
    }

    private static GuardedTensor? Integers(int[]? values, int[] shape) => values is null ? null : new GuardedTensor(DType.Int32, shape).Fill(i => values[i]);
}
