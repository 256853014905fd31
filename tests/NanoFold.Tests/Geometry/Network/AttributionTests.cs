using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry.Network;

/// <summary>Effects of parts of a model, exact and estimated.</summary>
public class AttributionTests : EngineTests
{
    [Test]
    public void ExactEffectsAreThoseOfAPatchedPass()
    {
        using var tiny = new TinyModel(ModelVariants.Base, Backend());
        using NetworkSamples samples = NetworkSamples.Of(tiny.Model, 3);
        using var patching = new AttributionPatching(samples.Sample, 3, tiny.Time, 5);
        int part = patching.Parts.ToList().FindIndex(one => one.Name == "blocks.1.hook_mlp_out"), time = tiny.Time;
        Assert.That(patching.Parts, Has.Count.EqualTo(2 * tiny.Model.Config.Layers));
        int[] tokens = samples.Sample.Tokens, changed = [.. tokens];
        double[] expected = new double[3], all = new double[3], exact = patching.Exact(part);
        // Which token was put in is found by what it does to the whole loss.
        double[] clean = Losses(tiny, tokens, samples.Sample.Targets, null, null);
        for (int window = 0; window < 3; window++)
        {
            int at = (window * time) + patching.Changed[window];
            changed[at] = tokens.Distinct().Where(token => token != tokens[at]).MinBy(token =>
            {
                int[] one = [.. tokens];
                one[at] = token;
                return Math.Abs(Losses(tiny, one, samples.Sample.Targets, null, null)[window] - clean[window] - patching.Effects[window]);
            });
        }

        float[]? values = null;
        double[] dirty = Losses(tiny, changed, samples.Sample.Targets, null, value => values = value);
        double[] patched = Losses(tiny, tokens, samples.Sample.Targets, values, null);
        for (int window = 0; window < 3; window++)
        {
            Assert.That(patching.Effects[window], Is.EqualTo(dirty[window] - clean[window]).Within(1e-4));
            Assert.That(exact[window], Is.EqualTo(patched[window] - clean[window]).Within(1e-4));
        }

        // One after the other nothing is left behind.
        Assert.That(patching.Exact(part), Is.EqualTo(exact));
        Assert.That(exact.Select(Math.Abs).Max(), Is.GreaterThan(1e-3));
    }

    [Test]
    public void EffectsOfSmallChangesAreTheirEstimates()
    {
        using var tiny = new TinyModel(ModelVariants.Base, Backend());
        Parameter embedding = tiny.Store.Parameters.Single(p => p.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal));
        int width = embedding.Layout[1];
        double[] values = Host.Read(tiny.Store, embedding);
        // All tokens are nearly the same one.
        Host.Write(tiny.Store, embedding, [.. values.Select((v, i) => values[i % width] + (1e-4 * v))]);
        using NetworkSamples samples = NetworkSamples.Of(tiny.Model, 4);
        Dictionary<FigurePlace, FigureWriter> measured = NetworkSamples.Take(figures => new AttributionMeasure { Tokens = tiny.Time, Sample = 32 }.Take(samples.Sample, figures));
        double Of(FigureWriter figures, string name) => figures.Figures.Single(f => f.Name == name).Value!.Value;
        FigureWriter network = measured[new FigurePlace("network", "model")];
        Assert.That(Of(network, "partSpearman"), Is.GreaterThan(0.99));
        Assert.That(Of(network, "placeSpearman"), Is.GreaterThan(0.99));
        Assert.That(Of(network, "randomPlaceSpearman"), Is.GreaterThan(0.99));
        Assert.That(network.Figures.Single(f => f.Name == "placeSpearman").Points, Is.EqualTo(32));
        foreach (FigureWriter part in measured.Where(one => one.Key.Layer is not null).Select(one => one.Value))
        {
            Assert.That(Of(part, "estimatedEffect"), Is.EqualTo(Of(part, "exactEffect")).Within(2).Percent.Or.EqualTo(Of(part, "exactEffect")).Within(1e-7));
        }
    }

    [Test]
    public void NothingBeforeTheChangedTokenHasAnEffect()
    {
        using var tiny = new TinyModel(ModelVariants.Base, Backend());
        using NetworkSamples samples = NetworkSamples.Of(tiny.Model, 4);
        using var patching = new AttributionPatching(samples.Sample, 4, tiny.Time, 2);
        for (int window = 0; window < 4; window++)
        {
            int start = window * tiny.Time;
            Assert.That(patching.Estimates.SelectMany(part => part[start..(start + patching.Changed[window])]), Is.All.Zero);
            Assert.That(patching.Estimates.Select(part => part[start + patching.Changed[window]]), Has.Some.Not.Zero);
        }
    }

    // Loss of each window, with the output of block 1's feed-forward put in or read.
    private static double[] Losses(TinyModel tiny, int[] tokens, int[] targets, float[]? put, Action<float[]>? read)
    {
        Backend backend = tiny.Store.Backend;
        const string Point = "blocks.1.hook_mlp_out";
        int windows = tokens.Length / tiny.Time;
        Layout places = Layout.Of(windows, tiny.Time), layout = Layout.Of(windows, tiny.Time, tiny.Model.Config.Width);
        using DeviceBuffer first = backend.Allocate(4 * places.Count), second = backend.Allocate(4 * places.Count), value = backend.Allocate(4 * layout.Count);
        backend.Upload<int>(tokens, new View(first, 0, places, DType.Int32));
        backend.Upload<int>(targets, new View(second, 0, places, DType.Int32));
        backend.Upload<float>(put ?? new float[layout.Count], new View(value, 0, layout, DType.Float32));
        ITapReader[] readers = read is null ? [] : [new NetworkPass.Reader(Point, (_, values, _) => read(values))];
        ITapEditor[] editors = put is null ? [] : [new Patch(Point, new View(value, 0, layout, DType.Float32))];
        using StepState state = backend.NewState();
        state.Set(StepSlot.TargetCount, 1L);
        var tape = new Tape(backend, taps: new TapSet(readers, editors)) { State = state };
        Tensor losses = tiny.Model.RecordLoss(tape, tape.External("tokens", new View(first, 0, places, DType.Int32)), tape.External("targets", new View(second, 0, places, DType.Int32))).Losses;
        tape.Keep(losses);
        using var plan = new Plan(tape);
        using var arena = new SharedArena(backend);
        arena.Bind(plan);
        plan.Run();
        var nats = new float[places.Count];
        backend.Read(plan[losses], nats.AsSpan());
        return [.. nats.Chunk(tiny.Time).Select(window => window.Sum(v => (double)v))];
    }
}
