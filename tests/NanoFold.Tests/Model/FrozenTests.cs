using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>Models of which a part is trained: that part learns as if all of it were.</summary>
public class FrozenTests : EngineTests
{
    private static IEnumerable<TestCaseData> Variants => ModelVariants.OneLayer.Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [TestCaseSource(nameof(Variants))]
    public void AParameterHasTheGradientThatItHasWhereAllAreTrained(ModelConfig config)
    {
        using var all = new TinyModel(config, Backend());
        double loss = all.Train().Loss;
        string[] names = [.. all.Store.Parameters.Select(p => p.Name)];
        for (int half = 0; half < 2; half++)
        {
            var trains = new NameGlobs("trained", [.. names.Where((_, i) => i % 2 == half)]);
            using var part = new TinyModel(config, Backend(), trains: trains);
            Assert.That(part.Train().Loss, Is.EqualTo(loss));
            foreach (Parameter parameter in part.Store.Parameters.Where(p => !p.Frozen))
            {
                Assert.That(Host.Gradient(part.Store, parameter), Is.EqualTo(Host.Gradient(all.Store, all.Store[parameter.Name])), parameter.Name);
            }
        }
    }

    [Test]
    public void WhatComesBeforeTheFirstTrainedParameterHasNoBackwardPass()
    {
        ModelConfig config = ModelVariants.Base with { Layers = 4 };
        using var all = new TinyModel(config, Backend());
        using var last = new TinyModel(config, Backend(), trains: new NameGlobs("trained", ["model.layers.3.*", "lm_head.weight"]));
        var (plan, part) = (new Plan(all.TrainingTape()), new Plan(last.TrainingTape()));

        // Forward four layers, back one.
        Assert.That(part.CallCount, Is.LessThan(0.75 * plan.CallCount));
        Assert.That(part.ArenaBytes, Is.LessThan(0.6 * plan.ArenaBytes));
        Assert.That(last.Store.Count, Is.EqualTo(last.Store.Parameters.Where(p => p.Name.Contains("layers.3", StringComparison.Ordinal) || p.Name == "lm_head.weight").Sum(p => p.Layout.Count)));
    }
}
