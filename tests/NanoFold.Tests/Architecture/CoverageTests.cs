using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Architecture;

/// <summary>What is added without being compared with anything is found here.</summary>
public class CoverageTests
{
    /// <summary>Ops that no case can hold, and what compares them.</summary>
    private static readonly Dictionary<string, Type> s_otherwise = new()
    {
        // Its result depends on what a cache holds: decoding is compared with the full pass.
        [nameof(CachedAttentionOp)] = typeof(ModelSuite),
        [nameof(CachedBlockMeanOp)] = typeof(ModelSuite),
        [nameof(CacheAppendOp)] = typeof(ModelSuite),
        // Its result is random.
        [nameof(DropoutOp)] = typeof(Model.DropoutTests),
        // Adds up from run to run.
        [nameof(ExpertTallyOp)] = typeof(FeedForward.ExpertBalanceTests),
        // Edits of a tap.
        ["ZeroOp"] = typeof(Taps.TapEditSuite),
        ["MeanOfPlaces"] = typeof(Taps.EditorTests),
        ["OtherPlaces"] = typeof(Taps.EditorTests),
        // What they give comes of another run, or is random.
        ["PassOp"] = typeof(Runs.InterventionTests),
        ["RandomStepOp"] = typeof(Runs.InterventionTests),
        // Has no output.
        ["ReadOp"] = typeof(Taps.TapSuite),
        // What it reads is a gradient.
        ["ReadGradientOp"] = typeof(Taps.TapReaderTests),
        ["CatchGradientOp"] = typeof(Geometry.Network.JacobianTests),
    };

    [Test]
    public void EveryOpHasACase()
    {
        IEnumerable<Type> ops = typeof(Op).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(Op)) && !type.IsAbstract);
        HashSet<Type> recorded = [.. Recorded(composedOnly: false), .. Recorded(composedOnly: true)];
        Assert.That(ops.Where(op => !recorded.Contains(op) && !s_otherwise.ContainsKey(op.Name)).Select(op => op.Name), Is.Empty);
        Assert.That(s_otherwise.Keys, Is.SubsetOf(ops.Select(op => op.Name)), "an op that is gone");
    }

    [Test]
    public void EveryKindHasAReference()
    {
        Assert.That(Variant.Of<MixerConfig>().Where(kind => !MixerReference.Exists(kind.Type)).Select(kind => kind.Kind), Is.Empty);
        Assert.That(Variant.Of<FeedForwardConfig>().Where(kind => !FeedForwardReference.Exists(kind.Type)).Select(kind => kind.Kind), Is.Empty);
    }

    private static IEnumerable<Type> Recorded(bool composedOnly)
    {
        using var backend = new CpuBackend(1, composedOnly: composedOnly);
        foreach (OpCase opCase in OpCases.All)
        {
            using var run = new OpRun(opCase, backend, DType.Float32);
            foreach (Node node in run.Tape.Nodes)
            {
                Type type = node.Op.GetType();
                yield return type.IsGenericType ? type.GetGenericTypeDefinition() : type;
            }
        }
    }
}
