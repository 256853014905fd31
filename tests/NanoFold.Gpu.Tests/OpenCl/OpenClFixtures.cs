using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Gpu.Tests.MatMul;
using NanoFold.Gpu.Tests.Norm;
using NanoFold.Gpu.Tests.Optimizers;
using NanoFold.Gpu.Tests.Pointwise;
using NanoFold.Gpu.Tests.Suites;
using NanoFold.Kernels.Gpu;
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
    private static IEnumerable<TestCaseData> Kinds =>
        from model in (IEnumerable<ModelConfig>)
        [
            .. ModelVariants.Mixers.Select(m => ModelVariants.Base with { Mixer = m }),
            .. ModelVariants.FeedForwards.Select(f => ModelVariants.Base with { FeedForward = f, Mixer = new NoneConfig() }),
            .. ModelVariants.Residuals.Select(r => ModelVariants.Base with { Residual = r }),
        ]
        select new TestCaseData(model with { Layers = 1 }).SetArgDisplayNames($"{model.Mixer.Kind} {model.FeedForward.Kind} {model.Residual.Kind}");

    /// <summary>Every kind of part, plain; the base's tests have what is special.</summary>
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

    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
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

/// <summary>Products on an OpenCL device: on a processor by its vectors.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClProductTests : MatMulTests
{
    private protected override GpuBackend OpenGpu() => OpenClDevice.Open();
}
