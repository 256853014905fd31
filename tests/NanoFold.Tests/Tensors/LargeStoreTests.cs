using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Null;

namespace NanoFold.Tests.Tensors;

/// <summary>Stores of more elements than 32 bits count.</summary>
public class LargeStoreTests
{
    private const int Largest = 100_000_000;

    [Test]
    public void ARangeComesInPieces()
    {
        const long Most = ElementRange.MostInPiece;
        var pieces = new List<(long, long)>();
        foreach (ElementRange piece in new ElementRange(64, (2 * Most) + 65))
        {
            pieces.Add((piece.Start, piece.End));
        }

        Assert.That(pieces, Is.EqualTo(new[] { (64, 64 + Most), (64 + Most, 64 + (2 * Most)), (64 + (2 * Most), 65 + (2 * Most)) }));
        Assert.That(new ElementRange(5, 5).GetEnumerator().MoveNext(), Is.False);
    }

    /// <summary>The shape of a model of 3.5 thousand million parameters: planned, and a step of it run where nothing is held.</summary>
    [TestCase("adamw", 2)]
    [TestCase("muon", 2)]
    public void AModelOfAnySizeIsPlannedAndStepped(string optimizer, int moments)
    {
        RunConfig config = new ConfigTree().Set("tokenizer=byte").Set("model.vocab=32000").Set("model.width=4096").Set("model.heads=32").Set("model.hidden=11008")
            .Set("model.layers=16").Set("model.context=8").Set("train.batch=1").Set("train.accumulate=2").Set($"train.optimizer={optimizer}").Build();
        long parameters = CostModel.Of(config.Model).Parameters;
        Assert.That(parameters, Is.EqualTo((16L * ((4 * 4096 * 4096) + (3 * 4096 * 11008) + (2 * 4096))) + 4096 + (2 * 32000L * 4096)).And.GreaterThan(3L << 30));

        using var backend = new NullBackend();
        using var model = new Transformer(config.Model, backend);
        using var trainer = new Trainer(model, config.Train, new RandomTokens(32000, 1));
        Assert.That(trainer.Step(0).Tokens, Is.EqualTo(16));
        Assert.That(model.Store.Bytes, Is.EqualTo(2 * 4 * parameters));
        MemoryPlan plan = MemoryPlan.Of(config, backend);
        Assert.That((plan.ParameterBytes, plan.GradientBytes, plan.PeakBytes), Is.EqualTo((4 * parameters, 8 * parameters, trainer.PeakBytes)));
        Assert.That(plan.OptimizerBytes, Is.InRange(moments * 4 * parameters, 1.03 * moments * 4 * parameters));
    }

    /// <summary>Real memory: 1.2 · 2³⁰ elements are filled, saved, read, and the gradients of as many are cleared and squared.</summary>
    [Test]
    [Category("Long")]
    [NonParallelizable]
    public void ValuesBeyondAPieceAreFilledSavedAndRead()
    {
        using var folder = new TemporaryFolder();
        using var backend = new CpuBackend(2);
        using ParameterStore store = Declared(backend, 13);
        store.Allocate(1);
        Assert.That(store.Elements, Is.GreaterThan(1.2 * ElementRange.MostInPiece));
        float[] drawn = Last(store);
        Assert.That(drawn, Is.All.InRange(-12f, 12f).And.Some.Not.Zero);
        using (FileStream file = File.Create(folder["model"]))
        {
            ModelFile.Of(store).Write(file);
        }

        foreach (ElementRange piece in new ElementRange(0, store.Elements))
        {
            backend.Fill(store.Values(piece), -1);
        }

        Assert.That(Last(store), Is.All.EqualTo(-1));
        ModelFile.Read(folder["model"], store);
        Assert.That(Last(store), Is.EqualTo(drawn));
        Assert.That(First(store), Is.EqualTo(Enumerable.Range(0, 13).Select(i => i < 12 ? (float)i : drawn[0])));
    }

    [Test]
    [Category("Long")]
    [NonParallelizable]
    public void GradientsBeyondAPieceAreClearedAndSquared()
    {
        using var backend = new CpuBackend(2);
        using ParameterStore store = Declared(backend, 12);
        store.Allocate(null);
        foreach (Parameter parameter in store.Parameters)
        {
            backend.Fill(store.Gradients(parameter), 0.5);
        }

        Assert.That(Squares(store), Is.EqualTo(12.0 * Largest * 0.25).Within(1e-6).Percent);
        store.ClearGradients();
        Assert.That(Squares(store), Is.Zero);
    }

    private static double Squares(ParameterStore store)
    {
        using StepState state = store.Backend.NewState();
        foreach (ElementRange piece in store.Trained)
        {
            store.Backend.Require<AddSquaresCall>().Run(new AddSquaresCall(state, store.Gradients(piece)));
        }

        return state.GetDouble(StepSlot.GradientSquares);
    }

    // All but the last begin with their index; the last is drawn.
    private static ParameterStore Declared(Backend backend, int count)
    {
        var store = new ParameterStore(backend);
        for (int i = 0; i < count; i++)
        {
            store.Add($"p{i}", Layout.Of(Largest), ParameterRole.Vector, i < 12 ? new Initializer(InitializerKind.Constant, i) : Initializer.Normal(1));
        }

        return store;
    }

    private static float[] First(ParameterStore store) => [.. store.Parameters.Select(p => Read(store, p, 0, 1)[0])];

    private static float[] Last(ParameterStore store)
    {
        Parameter last = store.Parameters[^1];
        return [.. Read(store, last, 0, 100), .. Read(store, last, Largest - 100, 100)];
    }

    private static float[] Read(ParameterStore store, Parameter parameter, long start, int count)
    {
        var values = new float[count];
        store.Backend.Read(store.Values(parameter).With(Layout.Of(count), start), values);
        return values;
    }
}
