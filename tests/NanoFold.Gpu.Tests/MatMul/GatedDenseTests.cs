using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Gpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.MatMul;

/// <summary>Where the formula of a gate is part of the products around it, and where it is an op of its own. What it gives is tested with every model.</summary>
public class GatedDenseTests : GpuTests
{
    private static readonly ModelConfig s_model = ModelVariants.Base with { Layers = 2 };

    [Test]
    public void AFeedForwardIsTwoProductsWithTheFormulaInThem()
    {
        Assert.That(Ops(Gpu), Is.EqualTo((2, 2, 0)));
        Assert.That(Ops(Gpu, new TapSet([new Collector("blocks.*")])), Is.EqualTo((2, 2, 0)), "read");
    }

    [Test]
    public void ItIsAnOpOfItsOwnWhereFusedKernelsAreHidden()
    {
        using GpuBackend composed = OpenDevice(composedOnly: true);
        Assert.That(Ops(composed), Is.EqualTo((0, 0, 2)));
    }

    private static (int Gated, int Down, int Apart) Ops(GpuBackend backend, TapSet? taps = null)
    {
        using var model = new TinyModel(s_model, backend);
        Op[] ops = [.. model.TrainingTape(taps).Nodes.Select(node => node.Op)];
        return (ops.Count(op => op is GatedLinearOp), ops.Count(op => op is GatedDownOp), ops.Count(op => op is GatedActivationOp<Silu>));
    }
}
