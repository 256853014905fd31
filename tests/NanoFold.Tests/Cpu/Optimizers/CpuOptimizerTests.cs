using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Optimizers;

namespace NanoFold.Tests.Cpu.Optimizers;

[TestFixture]
public sealed class CpuOptimizerTests
{
    private static readonly int[] s_counts = [1, 2, 3, 7, 8, 15, 17, 33, 100, 257, 16383, 16384, 16400];

    private CpuStepState _state = new();

    private StepSlot MatrixRate => _state.Add("matrix rate");

    [Test]
    public void AdamWMatchesTheFormulaOverSteps([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        const double Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, Decay = 0.1, Rate = 0.01, Scale = 0.7;
        foreach (int count in s_counts)
        {
            using CpuContext context = Context(1, path.Isa, Scale);
            _state.Set(StepSlot.LearningRate, Rate);
            var optimizer = new CpuOptimizer(context);
            using var p = new Operand(path.Type, [count], Operand.Random(1, count));
            using var g = new Operand(path.Type, [count]);
            using var m = new Operand(path.Type, [count]);
            using var v = new Operand(path.Type, [count]);
            double[] parameter = p.Values, first = new double[count], second = new double[count];
            for (int step = 1; step <= 4; step++)
            {
                g.Values = Operand.Random(10 + step, count);
                _state.Set(StepSlot.Step, (long)step);
                optimizer.Run(new AdamWCall(_state, p.View, g.View, m.View, v.View, Beta1, Beta2, Epsilon, Decay));
                double[] gradient = g.Values;
                for (int i = 0; i < count; i++)
                {
                    double scaled = Scale * gradient[i];
                    first[i] = Beta1 * first[i] + (1 - Beta1) * scaled;
                    second[i] = Beta2 * second[i] + (1 - Beta2) * scaled * scaled;
                    double mHat = first[i] / (1 - Math.Pow(Beta1, step)), vHat = second[i] / (1 - Math.Pow(Beta2, step));
                    parameter[i] -= Rate * (mHat / (Math.Sqrt(vHat) + Epsilon) + Decay * parameter[i]);
                }

                RowAssert.Close(p.Values, parameter, path.Tolerance, $"{count}, step {step}: parameter");
                RowAssert.Close(m.Values, first, path.Tolerance, $"{count}, step {step}: first");
                RowAssert.Close(v.Values, second, path.Tolerance, $"{count}, step {step}: second");
            }

            foreach (Operand operand in new[] { p, g, m, v })
            {
                operand.AssertGuards();
            }
        }
    }

    [Test]
    public void MuonMatchesTheFormulas([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        const double Beta = 0.95, Scale = 0.5, Rate = 0.02, Decay = 0.3, RateFactor = 1.5;
        foreach (int count in s_counts)
        {
            using CpuContext context = Context(1, path.Isa, Scale);
            _state.Set(MatrixRate, Rate);
            var optimizer = new CpuOptimizer(context);
            using var p = new Operand(path.Type, [count], Operand.Random(1, count));
            using var g = new Operand(path.Type, [count], Operand.Random(2, count));
            using var m = new Operand(path.Type, [count], Operand.Random(3, count));
            using var update = new Operand(path.Type, [count]);
            double[] momentum = [.. m.Values.Zip(g.Values, (a, b) => Beta * a + (1 - Beta) * Scale * b)];
            double[] expected = [.. momentum.Zip(g.Values, (a, b) => (1 - Beta) * Scale * b + Beta * a)];
            optimizer.Run(new MuonMomentumCall(_state, g.View, m.View, update.View, Beta));
            RowAssert.Close(m.Values, momentum, path.Tolerance, "momentum");
            RowAssert.Close(update.Values, expected, path.Tolerance, "update");

            double[] before = update.Values;
            double norm = Math.Sqrt(before.Sum(value => value * value));
            optimizer.Run(new NormalizeFrobeniusCall(_state, update.View, g.View));
            RowAssert.Close(g.Values, [.. before.Select(value => value / norm)], path.Tolerance, "normalized");
            optimizer.Run(new NormalizeFrobeniusCall(_state, update.View, update.View));
            Assert.That(update.Values, Is.EqualTo(g.Values), "in place");

            double[] applied = [.. p.Values.Zip(update.Values, (a, b) => a - Rate * RateFactor * (b + Decay * a))];
            optimizer.Run(new MuonApplyCall(_state, MatrixRate, p.View, update.View, Decay, RateFactor));
            RowAssert.Close(p.Values, applied, path.Tolerance, "parameter");
            foreach (Operand operand in new[] { p, g, m, update })
            {
                operand.AssertGuards();
            }
        }
    }

    [Test]
    public void AZeroMatrixStaysZero()
    {
        using CpuContext context = Context(1, Isa.Vector256, 1);
        using var x = new Operand(DType.Float32, [3, 3]);
        new CpuOptimizer(context).Run(new NormalizeFrobeniusCall(_state, x.View, x.View));
        Assert.That(x.Values, Is.All.Zero);
    }

    [Test]
    public void SquaresAddUp([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        using CpuContext context = Context(1, path.Isa, 1);
        var optimizer = new CpuOptimizer(context);
        double expected = 0;
        foreach (int count in s_counts)
        {
            using var g = new Operand(path.Type, [count], Operand.Random(count, count));
            optimizer.Run(new AddSquaresCall(_state, g.View));
            expected += g.Values.Sum(value => value * value);
            RowAssert.Close([_state.GetDouble(StepSlot.GradientSquares)], [expected], path.Tolerance, $"{count}");
        }
    }

    [Test]
    public void NothingChangesWhereTheStepIsSkipped([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        using CpuContext context = Context(1, path.Isa, 0);
        _state.Set(StepSlot.Step, 1L);
        _state.Set(StepSlot.LearningRate, 1.0);
        _state.Set(MatrixRate, 1.0);
        var optimizer = new CpuOptimizer(context);
        Operand[] all = [.. Enumerable.Range(0, 4).Select(i => new Operand(path.Type, [37], Operand.Random(i, 37)))];
        all[1][5] = double.NaN;
        byte[][] before = [.. all.Select(operand => operand.Bytes)];
        optimizer.Run(new AdamWCall(_state, all[0].View, all[1].View, all[2].View, all[3].View, 0.9, 0.95, 1e-8, 0.1));
        optimizer.Run(new MuonMomentumCall(_state, all[1].View, all[2].View, all[3].View, 0.9));
        optimizer.Run(new NormalizeFrobeniusCall(_state, all[1].View, all[2].View));
        optimizer.Run(new MuonApplyCall(_state, MatrixRate, all[0].View, all[1].View, 0.1, 1));
        RowAssert.SameBits([.. all.Select(operand => operand.Bytes)], before);
        foreach (Operand operand in all)
        {
            operand.Dispose();
        }
    }

    [TestCase(1.0, 4.0, 0.0, 1.0, 0)]
    [TestCase(1.0, 4.0, 1.0, 0.5, 0)]
    [TestCase(1.0, 4.0, 3.0, 1.0, 0)]
    [TestCase(1.0, 0.0, 1.0, 1.0, 0)]
    [TestCase(double.NaN, 4.0, 1.0, 0.0, 1)]
    [TestCase(double.PositiveInfinity, 4.0, 0.0, 0.0, 1)]
    [TestCase(1.0, double.NaN, 1.0, 0.0, 1)]
    [TestCase(1.0, double.PositiveInfinity, 1.0, 0.0, 1)]
    public void DecidesOnTheUpdate(double loss, double squares, double clip, double scale, long skipped)
    {
        using CpuContext context = Context(1, Isa.Scalar, 17);
        _state.Set(StepSlot.Loss, loss);
        _state.Set(StepSlot.GradientSquares, squares);
        _state.Set(StepSlot.Skipped, 3L);
        new CpuOptimizer(context).Run(new DecideCall(_state, clip, DynamicLossScale: false));
        Assert.That(_state.GetDouble(StepSlot.GradientScale), Is.EqualTo(scale));
        Assert.That(_state.GetInteger(StepSlot.Skipped), Is.EqualTo(3 + skipped));
    }

    [Test]
    public void ATermBesideTheLossThatIsNotFiniteStopsTheUpdate([Values(0, 1, StepState.MostTerms - 1)] int term)
    {
        using CpuContext context = Context(1, Isa.Scalar, 17);
        _state.Set(StepSlot.GradientSquares, 4.0);
        StepSlot[] terms = [.. Enumerable.Range(0, StepState.MostTerms).Select(i => _state.AddTerm($"term {i}"))];
        _state.Set(_state.Add("no term"), double.NaN);
        new CpuOptimizer(context).Run(new DecideCall(_state, 0, DynamicLossScale: false));
        Assert.That((_state.GetDouble(StepSlot.GradientScale), _state.GetInteger(StepSlot.Skipped)), Is.EqualTo((1.0, 0L)));
        _state.Set(terms[term], double.PositiveInfinity);
        new CpuOptimizer(context).Run(new DecideCall(_state, 0, DynamicLossScale: false));
        Assert.That(_state.GetDouble(StepSlot.GradientScale), Is.Zero);
        Assert.That(_state.GetInteger(StepSlot.Skipped), Is.EqualTo(1));
    }

    // The norm is 2 where it is finite, and the scale left its mark on the squares.
    [TestCase(65536.0, 0.0, 7, 1.0 / 65536, 65536.0, 8)]
    [TestCase(65536.0, 1.0, 7, 0.5 / 65536, 65536.0, 8)]
    [TestCase(1024.0, 0.0, 1999, 1.0 / 1024, 2048.0, 0)]
    [TestCase(16777216.0, 0.0, 1999, 1.0 / 16777216, 16777216.0, 0)]
    [TestCase(1024.0, 0.0, -1, 0.0, 512.0, 0)]
    [TestCase(1.0, 0.0, -1, 0.0, 1.0, 0)]
    public void TheLossScaleIsDividedOutAndFollowsWhatHappens(double lossScale, double clip, long good, double scale, double nextLossScale, long nextGood)
    {
        bool overflows = good < 0;
        foreach (bool isDynamic in new[] { true, false })
        {
            using CpuContext context = Context(1, Isa.Scalar, 17);
            Assert.That(_state.GetDouble(StepSlot.LossScale), Is.EqualTo(1));
            _state.Set(StepSlot.LossScale, lossScale);
            _state.Set(StepSlot.GoodSteps, Math.Max(0, good));
            _state.Set(StepSlot.GradientSquares, overflows ? double.PositiveInfinity : 4 * lossScale * lossScale);
            new CpuOptimizer(context).Run(new DecideCall(_state, clip, isDynamic));
            Assert.That(_state.GetDouble(StepSlot.GradientScale), Is.EqualTo(scale));
            Assert.That(_state.GetDouble(StepSlot.GradientSquares), Is.EqualTo(overflows ? double.PositiveInfinity : 4));
            Assert.That(_state.GetInteger(StepSlot.Skipped), Is.EqualTo(overflows ? 1 : 0));
            Assert.That(_state.GetDouble(StepSlot.LossScale), Is.EqualTo(isDynamic ? nextLossScale : lossScale));
            Assert.That(_state.GetInteger(StepSlot.GoodSteps), Is.EqualTo(isDynamic ? nextGood : Math.Max(0, good)));
        }
    }

    [Test]
    public void ABadGradientAnywhereIsSeen(
        [ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path, [Values(double.NaN, double.NegativeInfinity)] double bad, [Values(0, 5, 38, 40)] int place)
    {
        using CpuContext context = Context(1, path.Isa, 1);
        var optimizer = new CpuOptimizer(context);
        using var g = new Operand(path.Type, [41], Operand.Random(1, 41));
        g[place] = bad;
        optimizer.Run(new AddSquaresCall(_state, g.View));
        optimizer.Run(new DecideCall(_state, 1, DynamicLossScale: false));
        Assert.That(_state.GetDouble(StepSlot.GradientScale), Is.Zero);
    }

    [Test]
    public void ThreadsGiveTheSameBitsAndAllocateNothing([ValueSource(typeof(LanePath), nameof(LanePath.All))] LanePath path)
    {
        const int Count = 70001;
        byte[][]? first = null;
        foreach (int threads in new[] { 1, 2, 3, 7 })
        {
            using CpuContext context = Context(threads, path.Isa, 0.5);
            _state.Set(StepSlot.Step, 3L);
            _state.Set(StepSlot.LearningRate, 0.01);
            _state.Set(MatrixRate, 0.01);
            var optimizer = new CpuOptimizer(context);
            Operand[] all = [.. Enumerable.Range(0, 4).Select(i => new Operand(path.Type, [Count], Operand.Random(i, Count).Select(Math.Abs)))];
            void Step()
            {
                optimizer.Run(new AddSquaresCall(_state, all[1].View));
                optimizer.Run(new AdamWCall(_state, all[0].View, all[1].View, all[2].View, all[3].View, 0.9, 0.95, 1e-8, 0.1));
                optimizer.Run(new MuonMomentumCall(_state, all[1].View, all[2].View, all[3].View, 0.9));
                optimizer.Run(new NormalizeFrobeniusCall(_state, all[3].View, all[3].View));
                optimizer.Run(new MuonApplyCall(_state, MatrixRate, all[0].View, all[3].View, 0.1, 1));
            }

            Step();
            byte[][] bytes = [.. all.Select(operand => operand.Bytes), BitConverter.GetBytes(_state.GetDouble(StepSlot.GradientSquares))];
            first ??= bytes;
            RowAssert.SameBits(bytes, first);
            if (threads <= 2)
            {
                RowAssert.AllocatesNothing(Step);
            }

            foreach (Operand operand in all)
            {
                operand.Dispose();
            }
        }
    }

    [Test]
    public void NamesWhatDoesNotFit()
    {
        using CpuContext context = Context(1, Isa.Scalar, 1);
        var optimizer = new CpuOptimizer(context);
        using var p = new Operand(DType.Float32, [4]);
        using var g = new Operand(DType.Float32, [5]);
        Assert.Multiple(() =>
        {
            Assert.That(() => optimizer.Run(new AddSquaresCall(null!, p.View)), Throws.ArgumentException.With.Message.EqualTo("add-squares: state is missing"));
            Assert.That(() => optimizer.Run(new AdamWCall(_state, p.View, g.View, p.View, p.View, 0.9, 0.9, 0, 0)), Throws.ArgumentException.With.Message.EqualTo("adamw: gradient is Float32[5], expected 4 contiguous elements of Float32"));
            _state.Set(StepSlot.Step, 0L);
            Assert.That(() => optimizer.Run(new AdamWCall(_state, p.View, p.View, p.View, p.View, 0.9, 0.9, 0, 0)), Throws.InvalidOperationException.With.Message.Contains("Step is 0"));
            Assert.That(() => optimizer.Run(new MuonApplyCall(_state, MatrixRate, p.View, default, 0, 1)), Throws.ArgumentException.With.Message.EqualTo("muon-apply: update is missing"));
            Assert.That(() => optimizer.Run(new DecideCall(_state, -1, DynamicLossScale: false)), Throws.ArgumentException.With.Message.Contains("clip is -1"));
        });
    }

    private CpuContext Context(int threads, Isa isa, double gradientScale)
    {
        _state = new CpuStepState();
        _state.Set(StepSlot.GradientScale, gradientScale);
        return new CpuContext(threads, isa);
    }
}
