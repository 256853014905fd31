using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Kernels.Gpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.MatMul;

/// <summary>Where the turn of queries and keys is part of the joined projections, and where it is ops of its own.</summary>
public class RotaryMixerTests : GpuTests
{
    private static readonly ModelConfig s_model = ModelVariants.Base with { Layers = 2 };

    [Test]
    public void ALayerTurnsQueriesAndKeysInItsProduct()
    {
        Assert.That(Ops(Gpu, s_model), Is.EqualTo((2, 0)));
        Assert.That(Ops(Gpu, s_model, "blocks.*.hook_v", "blocks.*.hook_rot_q", "blocks.*.hook_pattern"), Is.EqualTo((2, 0)), "read");
    }

    [Test]
    public void OtherwiseTheTurnIsOpsOfItsOwn()
    {
        Assert.That(Ops(Gpu, s_model, "blocks.0.attn.hook_q"), Is.EqualTo((1, 2)), "queries before the turn are wanted in one layer");
        Assert.That(Ops(Gpu, s_model with { Mixer = new AttentionConfig { QkNorm = true } }), Is.EqualTo((0, 4)), "norms stand before it");
        Assert.That(Ops(Gpu, s_model with { Mixer = new TopKConfig() }).Turned, Is.Zero, "keys are chosen by it");
        using GpuBackend composed = OpenDevice(composedOnly: true);
        Assert.That(Ops(composed, s_model), Is.EqualTo((0, 4)), "fused kernels are hidden");
    }

    private static (int Turned, int Apart) Ops(GpuBackend backend, ModelConfig config, params string[] read)
    {
        using var model = new TinyModel(config, backend);
        Op[] ops = [.. model.TrainingTape(read.Length == 0 ? null : new TapSet([.. read.Select(name => new Collector(name))])).Nodes.Select(node => node.Op)];
        return (ops.Count(op => op is RotaryLinearOp), ops.Count(op => op is RopeOp));
    }
}
