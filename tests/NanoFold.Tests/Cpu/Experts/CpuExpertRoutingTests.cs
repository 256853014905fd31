using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Experts;

namespace NanoFold.Tests.Cpu.Experts;

[TestFixture]
public sealed class CpuExpertRoutingTests
{
    [TestCase(new[] { 1, 0, 2, 1, 0, 2, 1, 1 }, 3, TestName = "Ties keep the order of slots")]
    [TestCase(new[] { 4, 1, 4, 1, 1, 4 }, 6, TestName = "Empty experts at either end and between")]
    [TestCase(new[] { 2, 2, 2, 2, 2, 2 }, 4, TestName = "All tokens on one expert")]
    [TestCase(new[] { 0, 0 }, 1, TestName = "One expert")]
    public void SortsByExpertThenSlot(int[] experts, int count)
    {
        using var context = new CpuContext(1, Isa.Scalar);
        int slots = experts.Length;
        using var indices = new Operand(DType.Int32, [slots / 2, 2], experts.Select(e => (double)e));
        using var offsets = new Operand(DType.Int32, [count + 1], Operand.Random(1, count + 1));
        using var rowOfSlot = new Operand(DType.Int32, [slots / 2, 2]);
        using var tokenOfRow = new Operand(DType.Int32, [slots]);
        new CpuExpertRouting(context).Run(new ExpertSortCall(indices.View, offsets.View, rowOfSlot.View, tokenOfRow.View));
        int[] order = [.. Enumerable.Range(0, slots).OrderBy(slot => experts[slot])];
        Assert.Multiple(() =>
        {
            Assert.That(offsets.Values, Is.EqualTo(Enumerable.Range(0, count + 1).Select(e => (double)experts.Count(x => x < e))));
            Assert.That(tokenOfRow.Values, Is.EqualTo(order.Select(slot => (double)(slot / 2))));
            Assert.That(rowOfSlot.Values, Is.EqualTo(Enumerable.Range(0, slots).Select(slot => (double)Array.IndexOf(order, slot))));
        });
        foreach (Operand operand in new[] { indices, offsets, rowOfSlot, tokenOfRow })
        {
            operand.AssertGuards();
        }
    }

    private CpuStepState _state = new();

    [Test]
    public void CombineMatchesTheReference(
        [ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool weighted, [Values] bool accumulate, [Values(1, 2, 3)] int k)
    {
        using var context = new CpuContext(1, path.Isa);
        var routing = new CpuExpertRouting(context);
        foreach (int width in new[] { 1, 3, 8, 17, 33, 128, 257 })
        {
            const int Tokens = 5;
            int slots = Tokens * k;
            int[] place = [.. Enumerable.Range(0, slots).Select(slot => (slot * 7 + 3) % slots)];
            if (place.Distinct().Count() != slots)
            {
                place = [.. Enumerable.Range(0, slots).Reverse()];
            }

            using var rows = new Operand(path.Type, [slots, width], Operand.Random(1, slots * width));
            using var weights = new Operand(path.Type, [Tokens, k], Operand.Random(2, slots));
            using var rowOfSlot = new Operand(DType.Int32, [Tokens, k], place.Select(p => (double)p));
            using var y = new Operand(path.Type, [Tokens, width], Operand.Random(3, Tokens * width));
            using var dy = new Operand(path.Type, [Tokens, width], Operand.Random(4, Tokens * width));
            using var dRows = new Operand(path.Type, [slots, width]);
            using var dWeights = new Operand(path.Type, [Tokens, k]);
            double[] x = rows.Values, w = weighted ? weights.Values : [.. Enumerable.Repeat(1.0, slots)], gradient = dy.Values;
            double[] expected = accumulate ? y.Values : new double[Tokens * width], dx = new double[slots * width], dw = new double[slots];
            for (int slot = 0; slot < slots; slot++)
            {
                for (int c = 0; c < width; c++)
                {
                    int source = place[slot] * width + c, target = slot / k * width + c;
                    expected[target] += w[slot] * x[source];
                    dx[source] = w[slot] * gradient[target];
                    dw[slot] += gradient[target] * x[source];
                }
            }

            routing.Run(new ExpertCombineCall(rows.View, weighted ? weights.View : default, rowOfSlot.View, y.View, accumulate));
            routing.Run(new ExpertCombineBackwardCall(rows.View, weighted ? weights.View : default, rowOfSlot.View, dy.View, dRows.View, weighted ? dWeights.View : default));
            RowAssert.Close(y.Values, expected, path.Tolerance, "y");
            RowAssert.Close(dRows.Values, dx, path.Tolerance, "dRows");
            if (weighted)
            {
                RowAssert.Close(dWeights.Values, dw, 10 * path.Tolerance, "dWeights");
            }

            foreach (Operand operand in new[] { rows, weights, rowOfSlot, y, dy, dRows, dWeights })
            {
                operand.AssertGuards();
            }
        }
    }

    [Test]
    public void WeightsAgreeWithReferenceAndDifferences([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values] bool renormalize)
    {
        using var context = new CpuContext(1, path.Isa);
        var routing = new CpuExpertRouting(context);
        double[] kept = [2, 0, 1, 3, 4, 2];
        using var probabilities = new Operand(path.Type, [3, 5], Operand.Random(1, 15).Select(value => Math.Abs(value) + 0.1));
        using var indices = new Operand(DType.Int32, [3, 2], kept);
        using var weights = new Operand(path.Type, [3, 2]);
        using var dWeights = new Operand(path.Type, [3, 2], Operand.Random(2, 6));
        using var dProbabilities = new Operand(path.Type, [3, 5], Operand.Random(3, 15));
        double Loss()
        {
            routing.Run(new ExpertWeightsCall(probabilities.View, indices.View, weights.View, renormalize));
            return RowAssert.Dot(weights.Values, dWeights.Values);
        }

        Loss();
        double[] p = probabilities.Values;
        double[] expected = [.. Enumerable.Range(0, 6).Select(slot =>
            p[slot / 2 * 5 + (int)kept[slot]] / (renormalize ? p[slot / 2 * 5 + (int)kept[slot / 2 * 2]] + p[slot / 2 * 5 + (int)kept[slot / 2 * 2 + 1]] : 1))];
        RowAssert.Close(weights.Values, expected, path.Tolerance, "weights");
        routing.Run(new ExpertWeightsBackwardCall(probabilities.View, indices.View, weights.View, dWeights.View, dProbabilities.View, renormalize));
        bool exact = path.Type == DType.Float64;
        RowAssert.Gradient(probabilities, dProbabilities.Values, Loss, "dProbabilities", exact ? 1e-5 : 1e-2, exact ? 2e-8 : 3e-3);
        foreach (Operand operand in new[] { probabilities, indices, weights, dWeights, dProbabilities })
        {
            operand.AssertGuards();
        }
    }

    [Test]
    public void TheRoutersGradientIsTimesTheLossScale()
    {
        using CpuContext context = Context(1, Isa.Scalar, 4);
        using var router = new Router(DType.Float32, context, _state, 6, 5);
        router.Forward(0.1, 0.2);
        double[][] gradients = [.. new[] { 1.0, 256 }.Select(scale =>
        {
            _state.Set(StepSlot.LossScale, scale);
            router.RouterLoss.Run(new RouterLossBackwardCall(_state, router.Logits.View, router.Probabilities.View, router.Load.View, router.DLoss.View, router.DLogits.View, 0.1, 0.2, Accumulate: false));
            return router.DLogits.Values;
        })];
        Assert.That(gradients[1], Is.EqualTo(gradients[0].Select(g => 256 * g)));
    }

    [Test]
    public void RouterLossMatchesTheFormula(
        [ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values(0, 0.01, 2)] double balance, [Values(0, 0.5)] double z, [Values] bool accumulate)
    {
        foreach (int experts in new[] { 1, 2, 5, 8, 17, 64 })
        {
            using CpuContext context = Context(1, path.Isa, 4);
            using var router = new Router(path.Type, context, _state, 6, experts);
            double[] expected = router.Reference(balance, z, 0.75, out double loss, out double[] load);
            double[] before = accumulate ? router.DLogits.Values : new double[6 * experts];
            router.Forward(balance, z);
            router.RouterLoss.Run(new RouterLossBackwardCall(_state, router.Logits.View, router.Probabilities.View, router.Load.View, router.DLoss.View, router.DLogits.View, balance, z, accumulate));
            RowAssert.Close(router.Loss.Values, [loss], 2 * path.Tolerance, "loss");
            _ = router.Reference(balance, 0, 0.75, out double balanceLoss, out _);
            RowAssert.Close(
                [_state.GetDouble(_state.Add("balanceLoss")), _state.GetDouble(_state.Add("zLoss")), _state.GetDouble(StepSlot.Loss)],
                [balanceLoss, loss - balanceLoss, 0], 2 * path.Tolerance, "slots");
            RowAssert.Close(router.Load.Values, load, path.Tolerance, "load");
            RowAssert.Close(router.DLogits.Values, [.. expected.Zip(before, (a, b) => a + b)], path.Tolerance, "dLogits");
            router.AssertGuards();
        }
    }

    [Test]
    public void RouterLossGradientAgreesWithDifferences([Values(0, 2)] double balance, [Values(0, 0.5)] double z)
    {
        using CpuContext context = Context(1, Isa.Scalar, 2);
        using var router = new Router(DType.Float64, context, _state, 5, 4);
        router.Forward(balance, z);
        router.DLoss[0] = 1;
        router.RouterLoss.Run(new RouterLossBackwardCall(_state, router.Logits.View, router.Probabilities.View, router.Load.View, router.DLoss.View, router.DLogits.View, balance, z, false));
        RowAssert.Gradient(
            router.Logits,
            router.DLogits.Values,
            () =>
            {
                router.Softmax();
                router.Forward(balance, z);
                return router.Loss[0];
            },
            "dLogits");
    }

    [Test]
    public void ThreadsGiveTheSameBitsAndAllocateNothing([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        byte[][]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using CpuContext context = Context(threads, path.Isa, 1);
            using var router = new Router(path.Type, context, _state, 3000, 6);
            using var weights = new Operand(path.Type, [3000, 2]);
            using var rows = new Operand(path.Type, [6000, 19], Operand.Random(5, 114000));
            using var y = new Operand(path.Type, [3000, 19]);
            using var dRows = new Operand(path.Type, [6000, 19]);
            CpuExpertRouting routing = router.Routing;
            void Step()
            {
                routing.Run(new ExpertSortCall(router.Indices.View, router.Offsets.View, router.RowOfSlot.View, router.TokenOfRow.View));
                routing.Run(new ExpertWeightsCall(router.Probabilities.View, router.Indices.View, weights.View, true));
                routing.Run(new ExpertCombineCall(rows.View, weights.View, router.RowOfSlot.View, y.View, false));
                routing.Run(new ExpertCombineBackwardCall(rows.View, weights.View, router.RowOfSlot.View, y.View, dRows.View, weights.View));
                routing.Run(new ExpertWeightsBackwardCall(router.Probabilities.View, router.Indices.View, weights.View, weights.View, router.DLogits.View, true));
                router.Forward(0.01, 0.001);
                router.RouterLoss.Run(new RouterLossBackwardCall(_state, router.Logits.View, router.Probabilities.View, router.Load.View, router.DLoss.View, router.DLogits.View, 0.01, 0.001, true));
            }

            Step();
            byte[][] bytes = [weights.Bytes, y.Bytes, dRows.Bytes, router.Loss.Bytes, router.DLogits.Bytes, router.RowOfSlot.Bytes];
            first ??= bytes;
            RowAssert.SameBits(bytes, first);
            if (threads <= 2)
            {
                RowAssert.AllocatesNothing(Step);
            }
        }
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using CpuContext context = Context(1, Isa.Scalar, 0);
        using var router = new Router(DType.Float32, context, _state, 4, 3);
        using var indices = new Operand(DType.Int32, [4, 2], [0, 1, 2, 0, 1, 3, 0, 0]);
        using var y = new Operand(DType.Float32, [5, 7]);
        CpuExpertRouting routing = router.Routing;
        Assert.Multiple(() =>
        {
            Assert.That(
                () => routing.Run(new ExpertSortCall(indices.View, router.Offsets.View, router.RowOfSlot.View, router.TokenOfRow.View)),
                Throws.ArgumentException.With.Message.EqualTo("expert-sort: expert of row 5 is 3, expected −1 or an index in [0, 3)"));
            Assert.That(
                () => routing.Run(new ExpertCombineCall(y.View, default, router.RowOfSlot.View, y.View, false)),
                Throws.ArgumentException.With.Message.StartsWith("expert-combine: y is Float32[5, 7], expected Float32[4, 7]"));
            Assert.That(
                () => routing.Run(new ExpertWeightsCall(router.Probabilities.View, indices.View, router.Loss.View, true)),
                Throws.ArgumentException.With.Message.StartsWith("expert-weights: weights is Float32[1], expected 8"));
            Assert.That(() => router.Forward(1, 1), Throws.InvalidOperationException.With.Message.Contains("MicroBatchCount is 0"));
        });
    }

    private CpuContext Context(int threads, Isa isa, long microBatches)
    {
        _state = new CpuStepState();
        _state.Set(StepSlot.MicroBatchCount, microBatches);
        return new CpuContext(threads, isa);
    }

    /// <summary>A router's tensors, two experts kept per token.</summary>
    private sealed class Router : IDisposable
    {
        private readonly (StepSlot Balance, StepSlot Z) _terms;
        private readonly int _tokens;
        private readonly int _experts;

        public Router(DType type, CpuContext context, CpuStepState state, int tokens, int experts)
        {
            State = state;
            _terms = (state.AddTerm("balanceLoss"), state.AddTerm("zLoss"));
            _tokens = tokens;
            _experts = experts;
            Routing = new CpuExpertRouting(context);
            RouterLoss = new CpuRouterLoss(context);
            Logits = new Operand(type, [tokens, experts], Operand.Random(1, tokens * experts));
            Probabilities = new Operand(type, [tokens, experts]);
            DLogits = new Operand(type, [tokens, experts], Operand.Random(2, tokens * experts));
            Indices = new Operand(DType.Int32, [tokens, 2], Enumerable.Range(0, 2 * tokens).Select(slot => (double)(slot * slot % experts)));
            Offsets = new Operand(DType.Int32, [experts + 1]);
            RowOfSlot = new Operand(DType.Int32, [tokens, 2]);
            TokenOfRow = new Operand(DType.Int32, [2 * tokens]);
            Load = new Operand(type, [experts]);
            Loss = new Operand(type, [1]);
            DLoss = new Operand(type, [1], [0.75]);
            Routing.Run(new ExpertSortCall(Indices.View, Offsets.View, RowOfSlot.View, TokenOfRow.View));
            Softmax();
        }

        public CpuStepState State { get; }

        public CpuExpertRouting Routing { get; }

        public CpuRouterLoss RouterLoss { get; }

        public Operand Logits { get; }

        public Operand Probabilities { get; }

        public Operand DLogits { get; }

        public Operand Indices { get; }

        public Operand Offsets { get; }

        public Operand RowOfSlot { get; }

        public Operand TokenOfRow { get; }

        public Operand Load { get; }

        public Operand Loss { get; }

        public Operand DLoss { get; }

        private Operand[] All => [Logits, Probabilities, DLogits, Indices, Offsets, RowOfSlot, TokenOfRow, Load, Loss, DLoss];

        public void Forward(double balance, double z)
            => RouterLoss.Run(new RouterLossCall(
                State, Logits.View, Probabilities.View, Offsets.View, Load.View, Loss.View, balance, z, _terms.Balance, _terms.Z));

        public void Softmax()
            => Probabilities.Values = [.. Logits.Values.Chunk(_experts).SelectMany(row => row.Select(x => Math.Exp(x) / row.Sum(Math.Exp)))];

        public double[] Reference(double balance, double z, double dLoss, out double loss, out double[] load)
        {
            long batches = 4;
            double[] f = load = [.. Enumerable.Range(0, _experts).Select(e => Indices.Values.Count(index => (int)index == e) / (2.0 * _tokens))];
            double[] x = Logits.Values, p = Probabilities.Values;
            double[] mean = [.. Enumerable.Range(0, _experts).Select(e => Enumerable.Range(0, _tokens).Average(n => p[n * _experts + e]))];
            double[] lse = [.. x.Chunk(_experts).Select(row => Math.Log(row.Sum(Math.Exp)))];
            loss = (balance * _experts * RowAssert.Dot(f, mean) + z * lse.Average(l => l * l)) / batches;
            var gradient = new double[x.Length];
            for (int i = 0; i < x.Length; i++)
            {
                int n = i / _experts, e = i % _experts;
                for (int other = 0; other < _experts; other++)
                {
                    double dp = p[n * _experts + other] * ((other == e ? 1 : 0) - p[i]);
                    gradient[i] += balance * _experts * f[other] / _tokens * dp;
                }

                gradient[i] = dLoss / batches * (gradient[i] + z * 2 * lse[n] * p[i] / _tokens);
            }

            return gradient;
        }

        public void AssertGuards()
        {
            foreach (Operand operand in All)
            {
                operand.AssertGuards();
            }
        }

        public void Dispose()
        {
            foreach (Operand operand in All)
            {
                operand.Dispose();
            }
        }
    }
}
