using ILGPU;
using ILGPU.Runtime;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests;

/// <summary>Work that may be done at the same time while a step is captured: which stream it is on and what waits for what, and that it has the bits of one after the other.</summary>
public class BranchTests
{
    private RecordedEvents _events = null!;
    private GpuBackend _gpu = null!;

    private Branches Branches => _gpu.Context.Branches;

    [SetUp]
    public void Open()
    {
        _events = new RecordedEvents();
        _gpu = GpuDevices.OpenSimulator(_events);
    }

    [TearDown]
    public void Close()
    {
        _gpu.Dispose();
        Assert.That(_events.Open, Is.Zero, "events that were not deleted");
    }

    [Test]
    public void EachPartBeginsWhereTheMainStreamIsWhichWaitsForAll()
    {
        Pass(3);
        Assert.That(_events.Calls, Is.Empty, "nothing waits where nothing is captured");
        _gpu.Context.IsCapturing = true;
        Pass(3);
        Assert.That(_events.Calls, Is.EqualTo(new[]
        {
            "0 reaches 1", "1 waits for 1", "2 waits for 1", "1 reaches 2", "0 waits for 2", "2 reaches 3", "0 waits for 3",
        }));
    }

    [Test]
    public void APartHasItsStreamAndItsScratch()
    {
        AcceleratorStream main = _gpu.Context.Stream;
        foreach (bool isCapturing in new[] { false, true })
        {
            _gpu.Context.IsCapturing = isCapturing;
            Branches.Scope scope = Branches.Fork(3);
            var streams = new List<AcceleratorStream>();
            var scratch = new List<nint>();
            for (int part = 0; part < 3; part++)
            {
                Branches.Enter(part);
                streams.Add(_gpu.Context.Stream);
                scratch.Add(_gpu.Context.Scratch(512).LoadEffectiveAddressAsPtr());
            }

            scope.Dispose();
            Assert.That(scratch, Is.Unique);
            Assert.That(streams[0], Is.SameAs(main));
            Assert.That(streams.Distinct().Count(), Is.EqualTo(isCapturing ? 3 : 1));
            Assert.That(_gpu.Context.Stream, Is.SameAs(main));
        }
    }

    [Test]
    public void OfMorePartsThanStreamsSomeShareOne()
    {
        Pass(9);
        _gpu.Context.IsCapturing = true;
        Branches.Scope scope = Branches.Fork(9);
        Branches.Enter(1);
        AcceleratorStream second = _gpu.Context.Stream;
        Branches.Enter(1 + Branches.Most);
        Assert.That(_gpu.Context.Stream, Is.SameAs(second));
        scope.Dispose();
        Assert.That(_events.Calls.Count(call => call.Contains("waits", StringComparison.Ordinal)), Is.EqualTo(2 * (Branches.Most - 1)));
    }

    [Test]
    public void PartsHaveNoParts()
    {
        using Branches.Scope scope = Branches.Fork(2);
        Assert.That(Nested, Throws.InvalidOperationException);

        void Nested() => Branches.Fork(2).Dispose();
    }

    [Test]
    public void ScratchOfAPartHasItsSizeBeforeACapture()
    {
        Pass(2);
        _gpu.Context.IsCapturing = true;
        using Branches.Scope scope = Branches.Fork(2);
        Branches.Enter(1);
        Assert.That(() => _gpu.Context.Scratch(1 << 22), Throws.InvalidOperationException.With.Message.Contains("run it once before"));
    }

    [Test]
    public void ProductsTogetherHaveTheBitsOfOneAfterTheOther()
    {
        using var memory = new Memory(_gpu);
        View a = memory.Random(DType.Float32, 1, 20, 12), b = memory.Random(DType.Float32, 2, 20, 9);
        View[] apart = [memory.New(DType.Float32, 12, 9), memory.New(DType.Float32, 20, 20)], together = [memory.New(DType.Float32, 12, 9), memory.New(DType.Float32, 20, 20)];
        MatMulArgs[] Products(View[] y) => [new MatMulArgs { A = a, TransposeA = true, B = b, Y = y[0] }, new MatMulArgs { A = b, B = b, TransposeB = true, Y = y[1] }];
        foreach (MatMulArgs product in Products(apart))
        {
            _gpu.MatMul(product);
        }

        foreach (bool isCapturing in new[] { false, true })
        {
            Array.ForEach(together, y => _gpu.Fill(y, double.NaN));
            _gpu.Context.IsCapturing = isCapturing;
            _gpu.MatMulTogether(Products(together));
            _gpu.Context.IsCapturing = false;
            Assert.That(together.Select(y => memory.Read(y)), Is.EqualTo(apart.Select(y => memory.Read(y))));
        }

        Assert.That(_events.Calls, Is.EqualTo(new[] { "0 reaches 1", "1 waits for 1", "1 reaches 2", "0 waits for 2" }));
    }

    /// <param name="hasNorms">Whether norms of queries and keys stand between projections and turns, which then are ops of their own.</param>
    [Test]
    public void AStepThatIsCapturedHasTheBitsOfOneThatIsNot([Values] bool hasNorms)
    {
        ModelConfig config = ModelVariants.Base with { Layers = 1, Mixer = new AttentionConfig { QkNorm = hasNorms } };
        using GpuBackend plain = GpuDevices.OpenSimulator();
        using var alone = new TinyModel(config, plain);
        using var model = new TinyModel(config, _gpu);
        (double loss, double[] gradients) = alone.Train();
        using var plan = new Plan(model.TrainingTape());
        Assert.That(model.Train(plan).Loss, Is.EqualTo(loss));
        Numbers.AssertSameBits(model.Gradients(), gradients, "not captured");
        using DeviceBuffer arena = _gpu.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        _gpu.Fill(model.Store.AllGradients, 0);
        plan.Run();
        _gpu.Fill(model.Store.AllGradients, 0);
        _gpu.Context.FlushStates();
        _gpu.Context.IsCapturing = true;
        plan.Run(log: null);
        _gpu.Context.IsCapturing = false;
        Numbers.AssertSameBits(model.Gradients(), gradients, "captured");
        int linear = plan.Tape.Nodes.Count(node => node.Op is LinearOp or GatedLinearOp or RotaryLinearOp), turns = plan.Tape.Nodes.Count(node => node.Op is RopeOp);
        Assert.That(turns, Is.EqualTo(hasNorms ? 2 : 0), "of queries and of keys");
        Assert.That(_events.Calls.Count(call => call.StartsWith("0 reaches", StringComparison.Ordinal)), Is.EqualTo(linear + (2 * turns)),
            "the two gradients of each linear layer; both turns, and both back, and the same of norms");
    }

    private void Pass(int parts)
    {
        using Branches.Scope scope = Branches.Fork(parts);
        for (int part = 0; part < parts; part++)
        {
            Branches.Enter(part);
            _ = _gpu.Context.Scratch(512);
        }
    }
}
