using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Gpu.Tests.MatMul;
using NanoFold.Gpu.Tests.Norm;
using NanoFold.Gpu.Tests.Optimizers;
using NanoFold.Gpu.Tests.Pointwise;
using NanoFold.Gpu.Tests.Reduce;
using NanoFold.Gpu.Tests.Suites;
using NanoFold.Kernels;
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

/// <summary>Products on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClProductTests : MatMulTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
