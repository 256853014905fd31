using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers;

public class TableTests : EngineTests
{
    [Test]
    public void LayersOfOneShapeShareATable()
    {
        AttentionConfig part = new() { RopeDim = 2 }, wide = new() { HeadDim = 6 };
        Assert.That(Bytes(ModelVariants.Base), Is.EqualTo(16 * 4 * 4));
        Assert.That(Bytes(ModelVariants.Base with { Layers = 4 }), Is.EqualTo(16 * 4 * 4));
        Assert.That(Bytes(ModelVariants.Base with { Pattern = [new BlockConfig(), new BlockConfig { Mixer = part }] }), Is.EqualTo(16 * (4 + 2) * 4));
        Assert.That(Bytes(ModelVariants.Base with { Pattern = [new BlockConfig { Mixer = wide }, new BlockConfig { Mixer = part }] }), Is.EqualTo(16 * (6 + 2) * 4));
        Assert.That(Bytes(ModelVariants.Base with { Position = PositionKind.None }), Is.Zero);
        Assert.That(Bytes(ModelVariants.Base with { Mixer = GruConfig.Tiny }), Is.Zero, "no heads, no rotary positions");
    }

    [Test]
    public void OneNameIsOneTable()
    {
        using var tables = new TableStore(Backend(), DType.Float64);
        Table first = tables.Get("squares", Layout.Of(2, 2), () => [0, 1, 4, 9]);
        Assert.That(tables.Get("squares", Layout.Of(2, 2), () => throw new InvalidOperationException("made twice")), Is.SameAs(first));
        Assert.That(Host.Read(Backend(), first.View), Is.EqualTo(new double[] { 0, 1, 4, 9 }));
        Assert.That(() => tables.Get("squares", Layout.Of(4), () => []), Throws.ArgumentException.With.Message.EqualTo("table 'squares': is [2, 2], expected [4]"));
    }

    private long Bytes(ModelConfig config)
    {
        using var model = new Transformer(config, Backend());
        return model.TableBytes;
    }
}
