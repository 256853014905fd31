using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Autograd;

/// <summary>A sum behind a product becomes the product's residual.</summary>
public class ResidualTests : EngineTests
{
    // Deeper than one block of depth, so that the product is added up in parts.
    private static readonly (string, int[])[] s_parameters = [("x", [19, 600]), ("w", [21, 600]), ("r", [19, 21])];

    [Test]
    public void ItIsOneNodeWithTheBitsOfTwo()
    {
        using var apart = new RecordedFunction(Backend(), DType.Float32, s_parameters, (tape, p) => AddOp.Record(tape, p("r"), LinearOp.Record(tape, p("x"), p("w"))));
        using var joined = new RecordedFunction(Backend(), DType.Float32, s_parameters, (tape, p) => AddOp.RecordOntoLast(tape, p("r"), LinearOp.Record(tape, p("x"), p("w"))));

        Assert.That(joined.Run(), Is.EqualTo(apart.Run()));
        Assert.That(joined.Gradients(), Is.EqualTo(apart.Gradients()));
        Assert.That((Ops(joined), Ops(apart)), Is.EqualTo(("linear dot", "linear add dot")));
    }

    [Test]
    public void SomethingInBetweenKeepsThemApart()
    {
        using var function = new RecordedFunction(Backend(), DType.Float32, s_parameters, (tape, p) =>
        {
            Tensor product = LinearOp.Record(tape, p("x"), p("w"));
            Tensor other = ActivationOp<Silu>.Record(tape, product);
            return AddOp.Record(tape, other, AddOp.RecordOntoLast(tape, p("r"), product));
        });

        Assert.That(Ops(function), Is.EqualTo("linear silu add add dot"));
    }

    [Test]
    public void AProductWithoutGradientDoesNotSwallowASummandThatHasOne()
    {
        using var store = new ParameterStore(Backend());
        Parameter w = store.Add("w", Layout.Of(3, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        Parameter x = store.Add("x", Layout.Of(2, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        Parameter r = store.Add("r", Layout.Of(2, 3), ParameterRole.Matrix, Initializer.Uniform(1));
        store.Allocate(new SeedSource(1), new NameGlobs("trained", ["r"]));
        var tape = new Tape(store.Backend, training: true);
        tape.AddLoss(AddOp.RecordOntoLast(tape, tape.Use(r), LinearOp.Record(tape, tape.Use(x), tape.Use(w))));
        var plan = new Plan(tape);
        using DeviceBuffer arena = store.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        store.Backend.Fill(store.AllGradients, 0);
        plan.Run();

        Assert.That(tape.Nodes.Select(node => node.Op.Name), Is.EqualTo(new[] { "linear", "add" }));
        Assert.That(Host.Gradient(store, r), Is.All.EqualTo(1));
    }

    private static string Ops(RecordedFunction function)
    {
        var tape = new Tape(function.Store.Backend, training: true);
        function.Record(tape);
        return string.Join(' ', tape.Nodes.Select(node => node.Op.Name));
    }
}
