using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;

namespace NanoFold.Tests.Mixers;

/// <summary>What training takes of memory, by plan: nothing runs.</summary>
public class MixerMemoryTests
{
    // A learned matrix over positions is T × T by its definition.
    private const string OverPositions = "mlp-mixer";

    private static IEnumerable<TestCaseData> Kinds => Variant.Of<MixerConfig>().Select(v => new TestCaseData((MixerConfig)Activator.CreateInstance(v.Type)!).SetArgDisplayNames(v.Kind));

    [TestCaseSource(nameof(Kinds))]
    public void AlmostAllOfItIsWhatTheBackwardPassNeeds(MixerConfig mixer)
    {
        PlanProfile profile = Plan(mixer, context: 512, layers: 12, out long arena);
        Assert.That(arena, Is.LessThan(1.3 * profile.SavedBytes), string.Join(", ", profile.Largest.Take(5)));
    }

    [TestCaseSource(nameof(Kinds))]
    public void NothingIsHeldForEachPairOfTokens(MixerConfig mixer)
    {
        Assume.That(mixer.Kind, Is.Not.EqualTo(OverPositions));
        // With the window, blocks or keys of the shorter one: by default they grow with the context.
        mixer = Model(mixer, context: 1024, layers: 1).Mixer;
        Plan(mixer, context: 1024, layers: 1, out long shorter);
        Plan(mixer, context: 4096, layers: 1, out long longer);
        Assert.That((double)longer / shorter, Is.LessThan(4.2));
    }

    private static ModelConfig Model(MixerConfig mixer, int context, int layers) =>
        new ModelConfig { Layers = layers, Width = 64, Heads = 4, Context = context, Vocab = 64, Mixer = mixer }.Resolve();

    private static PlanProfile Plan(MixerConfig mixer, int context, int layers, out long arenaBytes)
    {
        using var backend = new NullBackend();
        using var model = new Transformer(Model(mixer, context, layers), backend, seed: null);
        var tape = new Tape(backend, model.Store.Type, training: true);
        Layout layout = Layout.Of(1, context);
        using DeviceBuffer memory = backend.Allocate(2L * context * sizeof(int));
        Tensor tokens = tape.External("tokens", new View(memory, 0, layout, DType.Int32)), targets = tape.External("targets", new View(memory, context, layout, DType.Int32));
        model.RecordLoss(tape, tokens, targets);
        var plan = new Plan(tape);
        arenaBytes = plan.ArenaBytes;
        return plan.Profile();
    }
}
