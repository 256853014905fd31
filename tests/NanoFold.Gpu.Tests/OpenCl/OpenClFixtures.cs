using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Gpu.Tests.Loss;
using NanoFold.Gpu.Tests.MatMul;
using NanoFold.Gpu.Tests.Norm;
using NanoFold.Gpu.Tests.Optimizers;
using NanoFold.Gpu.Tests.Pointwise;
using NanoFold.Gpu.Tests.Reduce;
using NanoFold.Gpu.Tests.Suites;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>Ops on an OpenCL device, fused and composed. Their kernels are compiled one by one, which takes minutes; models reach most of them.</summary>
[Category(OpenClDevice.Category)]
[Category("Long")]
public sealed class OpenClOpSuite : GpuOpSuite
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();

    private protected override GpuBackend OpenComposed() => OpenClDevice.Open(composedOnly: true);
}

/// <summary>Models on an OpenCL device: loss and gradients are the CPU's, again the same bits, replayed, tapped and decoded.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClModelSuite : GpuModelSuite
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Every kind of part on an OpenCL device with no more local memory than it must have.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClKindTests : GpuTests
{
    private static IEnumerable<TestCaseData> Kinds =>
        from model in (IEnumerable<ModelConfig>)
        [
            .. ModelVariants.Mixers.Select(m => ModelVariants.Base with { Mixer = m }),
            .. ModelVariants.FeedForwards.Select(f => ModelVariants.Base with { FeedForward = f, Mixer = new NoneConfig() }),
            .. ModelVariants.Residuals.Select(r => ModelVariants.Base with { Residual = r }),
        ]
        select new TestCaseData(model with { Layers = 1 }).SetArgDisplayNames($"{model.Mixer.Kind} {model.FeedForward.Kind} {model.Residual.Kind}");

    [TestCaseSource(nameof(Kinds))]
    public void EveryKindIsThatOfTheCpu(ModelConfig model)
    {
        using var exact = new TinyModel(model, Cpu);
        (double loss, double[] gradients) = exact.Train();
        using var own = new TinyModel(model, Gpu);
        (double ownLoss, double[] ownGradients) = own.Train();
        Assert.That(ownLoss, Is.EqualTo(loss).Within(4e-6 * loss));
        Numbers.AssertClose(ownGradients, gradients, 4e-5 * MixerReference.SensitivityOf(model), "gradients");
    }

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open(c => c with { LocalBytes = OpenClCapabilities.LeastLocalBytes });
}

/// <summary>The norms on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClNormTests : NormTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Every optimizer's step on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClOptimizerTests : OptimizerTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Every optimizer's step on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClTogetherUpdateTests : TogetherUpdateTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Formulas and copies on an OpenCL device.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClPointwiseTests : PointwiseTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Softmax on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClSoftmaxTests : SoftmaxTests
{
    /// <summary>Rows of every length beside sixteen, as many queries as keys or fewer or more, windows with sinks.</summary>
    [Test]
    public void RowsOfAnyLength([Values(1, 15, 16, 17, 64, 133)] int keys, [Values(1, 40)] int queries, [Values(0, 21)] int window, [Values] VisibleKind kind)
    {
        if (kind == VisibleKind.Prefix)
        {
            return;
        }

        // A window that looks ahead has no more queries than keys.
        queries = window > 0 ? Math.Min(queries, keys) : queries;
        using var twins = new Twins(Gpu, Cpu);
        Twin x = twins.Random(DType.Float32, 1, 2, 3, queries, keys), y = twins.Random(DType.Float32, 2, 2, 3, queries, keys), dx = twins.Random(DType.Float32, 3, 2, 3, queries, keys);
        var visible = new Visible { Kind = kind, Window = window, Sinks = window > 0 ? 3 : 0 };
        foreach ((Backend backend, Func<Twin, View> of) in new (Backend, Func<Twin, View>)[] { (Gpu, t => t.Gpu), (Cpu, t => t.Cpu) })
        {
            backend.Softmax(of(x), of(y), -0.7, visible);
            backend.SoftmaxBackward(of(y), of(x), of(dx), -0.7, accumulate: true);
            backend.Softmax(of(x), of(x), 0.7, visible);
        }

        twins.AssertClose(y, 1e-6);
        twins.AssertClose(dx, 1e-6);
        twins.AssertClose(x, 1e-6);
    }

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Cross-entropy on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClCrossEntropyTests : CrossEntropyTests
{
    /// <summary>Rows of every length beside sixteen.</summary>
    [Test]
    public void RowsOfAnyLength([Values(1, 15, 16, 17, 64, 133)] int vocab)
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin logits = twins.Normal(DType.Float32, 1, 20, 5, vocab), targets = twins.Integers([5], [0, vocab - 1, -1, vocab / 2, 0]), dLogits = twins.Random(DType.Float32, 2, 5, vocab);
        Twin losses = twins.Random(DType.Float32, 3, 5), logSumExp = twins.Random(DType.Float32, 4, 5), loss = twins.Random(DType.Float32, 5, 1), dLoss = twins.New(DType.Float32, [1], [3]);
        foreach ((Backend backend, StepState state, Func<Twin, View> of) in new (Backend, StepState, Func<Twin, View>)[] { (Gpu, GpuState, t => t.Gpu), (Cpu, CpuState, t => t.Cpu) })
        {
            state.Set(StepSlot.TargetCount, 4L);
            state.Set(StepSlot.LossScale, 2.0);
            backend.Run(new CrossEntropyCall(state, of(logits), of(targets), of(losses), of(logSumExp), of(loss)));
            backend.Run(new CrossEntropyBackwardCall(state, of(logits), of(targets), of(logSumExp), of(dLoss), of(dLogits), Accumulate: true));
            backend.Run(new CrossEntropyBackwardCall(state, of(logits), of(targets), of(logSumExp), of(dLoss), of(logits), Accumulate: false));
        }

        twins.AssertClose(losses, 1e-6);
        twins.AssertClose(logSumExp, 1e-6);
        twins.AssertClose(loss, 1e-6);
        twins.AssertClose(dLogits, 4e-6);
        twins.AssertClose(logits, 4e-6);
    }

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Rows by id on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClScatterTests : GpuTests
{
    /// <summary>Ids that many rows have, that no row of the table has, and of more rows than one digit of a group's number counts.</summary>
    [Test]
    public void RowsAreAddedWhereTheirIdsSay([Values(1, 15, 16, 40)] int width, [Values] bool isSpread)
    {
        using var twins = new Twins(Gpu, Cpu);
        const int Count = 300, Rows = 70;
        Twin x = twins.Random(DType.Float32, 1, 2, 3, Count / 6 + 1, width).Slice(2, 1, Count / 6);
        Twin ids = twins.Integers([Count], [.. Enumerable.Range(0, Count).Select(i => isSpread ? i * i * 37 % (Rows + 2) - 1 : i % 9 == 0 ? -1 : 33)]);
        Twin all = twins.Random(DType.Float32, 2, Rows, width + 3), table = all.Slice(1, 2, width);
        Gpu.ScatterAdd(x.Gpu, ids.Gpu, table.Gpu);
        Cpu.ScatterAdd(x.Cpu, ids.Cpu, table.Cpu);
        twins.AssertClose(all, 1e-5);
    }

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}

/// <summary>Products on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClProductTests : MatMulTests
{
    /// <summary>A half of a symmetric product is the other one's, to the bits of the product that is computed as a whole.</summary>
    [Test]
    public void SymmetricProductsHaveTheBitsOfOthers([Values(5, 32, 72, 100)] int side, [Values] bool isTall)
    {
        using var memory = new Memory(Gpu);
        View x = isTall ? memory.Normal(DType.Float32, 1, 1.0, 3, 37, side) : memory.Normal(DType.Float32, 1, 1.0, 3, side, 37);
        View gram = memory.New(DType.Float32, 3, side, side), whole = memory.New(DType.Float32, 3, side, side), half = memory.New(DType.Float32, 3, side, side);
        var product = new MatMulArgs { A = x, B = x, TransposeA = isTall, TransposeB = !isTall, Y = gram, Alpha = 0.3 };
        Gpu.MatMul(product);
        Gpu.MatMul(product with { Y = half, IsSymmetric = true });
        Assert.That(memory.Read(half), Is.EqualTo(memory.Read(gram)));
        Gpu.MatMul(new MatMulArgs { A = gram, B = gram, Y = whole });
        Gpu.MatMul(new MatMulArgs { A = gram, B = gram, Y = half, IsSymmetric = true });
        Assert.That(memory.Read(half), Is.EqualTo(memory.Read(whole)));
    }

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
