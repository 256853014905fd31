using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tensors;

public class ParameterStoreTests : EngineTests
{
    private static readonly NameGlobs s_some = new("trained", ["*.b", "d"]);

    [Test]
    public void TrainedParametersComeFirstByTheirRoles()
    {
        using ParameterStore store = Declared();
        store.Allocate(new SeedSource(1), s_some);

        Assert.That(store.Parameters.Select(p => (p.Name, p.Frozen, p.Offset)), Is.EqualTo(new[] { ("x.a", true, 192L), ("x.b", false, 64L), ("y.b", false, 0L), ("c", true, 256L), ("d", false, 128L) }));
        Assert.That((store.Count, store.TrainedElements, store.Elements), Is.EqualTo((6L + 4 + 5, 192L, 384L)));
        Assert.That(store.Range(ParameterRole.Matrix), Is.EqualTo(new ElementRange(0, 64)));
        Assert.That(store.Range(ParameterRole.Vector), Is.EqualTo(new ElementRange(64, 192)));
        _ = store.AllGradients;
        Assert.That(store.Bytes, Is.EqualTo(((384 + 192) * 4) + 256), "values, gradients and the state's two numbers");
    }

    [Test]
    public void ValuesBySeedDependOnNamesAlone()
    {
        using ParameterStore all = Declared(), some = Declared();
        all.Allocate(7);
        some.Allocate(new SeedSource(7), s_some);
        foreach (Parameter parameter in all.Parameters)
        {
            Assert.That(Host.Read(some, some[parameter.Name]), Is.EqualTo(Host.Read(all, parameter)).And.Some.Not.Zero);
        }
    }

    /// <summary>They are drawn in pieces, of which a reader sees nothing.</summary>
    [TestCase(InitializerKind.Normal)]
    [TestCase(InitializerKind.LogOfIndex)]
    public void ValuesBySeedDependOnTheirPlaceAlone(InitializerKind kind)
    {
        const int Count = (1 << 20) + 3;
        using var store = new ParameterStore(Backend());
        Parameter large = store.Add("w", Layout.Of(Count), ParameterRole.Vector, kind == InitializerKind.Normal ? Initializer.Normal(0.5) : Initializer.LogOfIndex(Count));
        store.Allocate(3);
        double[] values = Host.Read(store, large);

        ulong stream = BitConverter.ToUInt64(System.Security.Cryptography.SHA256.HashData("w"u8));
        foreach (int i in new[] { 0, (1 << 20) - 2, 1 << 20, Count - 1 })
        {
            (uint a, uint b, uint c, uint d) = Philox.Next(3, stream, (ulong)i);
            double u = ((((ulong)a << 32 | b) >> 11) + 0.5) / (1L << 53), v = ((((ulong)c << 32 | d) >> 11) + 0.5) / (1L << 53);
            Assert.That(values[i], Is.EqualTo((float)(kind == InitializerKind.LogOfIndex ? Math.Log(1 + i) : 0.5 * Math.Sqrt(-2 * Math.Log(u)) * Math.Cos(2 * Math.PI * v))));
        }
    }

    [TestCase(DType.Float32)]
    [TestCase(DType.Float64)]
    public void ValuesComeFromAnotherStoreAndTheRestFromASeed(DType type)
    {
        using ParameterStore from = Declared(), to = Declared(type, more: true), seeded = Declared(type, more: true);
        from.Allocate(1);
        Host.Write(Backend(), from.Values(from.States.Single()), [5, -6]);
        to.Allocate(new FirstOfSources(new StoreSource(from), new SeedSource(2)), s_some);
        seeded.Allocate(2);

        foreach (StoredTensor tensor in from.Tensors)
        {
            Assert.That(Host.Read(to, to.Find(tensor.Name)!), Is.EqualTo(Host.Read(from, tensor)), tensor.Name);
        }

        Assert.That(Host.Read(to, to["e"]), Is.EqualTo(Host.Read(seeded, seeded["e"])));
    }

    [Test]
    public void WhatASourceLacksOrHasOtherwiseIsNamed()
    {
        using ParameterStore from = Declared(), more = Declared(more: true), other = new(Backend());
        from.Allocate(1);
        other.Add("x.a", Layout.Of(4, 2), ParameterRole.Matrix, Initializer.Zero);

        Assert.That(() => more.Allocate(new StoreSource(from)), Throws.TypeOf<UserException>().With.Message.EqualTo("'e' is missing where the model's values are taken from"));
        Assert.That(() => other.Allocate(new StoreSource(from)), Throws.TypeOf<UserException>().With.Message.EqualTo("'x.a' is Float32[2, 4] in the model whose values are taken; expected Float32[4, 2]"));
    }

    [TestCase(DType.Int32, 4)]
    [TestCase(DType.Float64, 8)]
    [TestCase(DType.BFloat16, 2)]
    [TestCase(DType.Float16, 2)]
    public void StateOfAnyTypeIsSavedAndReadToTheBit(DType type, int size)
    {
        using var folder = new TemporaryFolder();
        using ParameterStore store = Stated(type), read = Stated(type);
        Assert.That(Host.Read(store, store.States.First()), Is.All.EqualTo(3));
        double[] values = type == DType.Int32 ? [int.MinValue, 16_777_217, 3] : [0.1, -1e-5, 40_000];
        Host.Write(Backend(), store.Values(store.States.First()), values);
        Save(store, folder["a"]);
        ModelFile.Read(folder["a"], read);
        Save(read, folder["b"]);

        Assert.That(File.ReadAllBytes(folder["b"]), Is.EqualTo(File.ReadAllBytes(folder["a"])));
        Assert.That(Host.Read(read, read.States.First()), Is.EqualTo(Host.Read(store, store.States.First())).And.Some.Not.EqualTo(3));
        Assert.That((read.StateBytes, store.Count), Is.EqualTo((512, 4)), "two tensors, and no trained scalars");
        using SafeTensorsFile file = SafeTensorsFile.Open(folder["a"]);
        Assert.That((file["counted"].ByteCount, file.Tensors.Count), Is.EqualTo((3L * size, 3)));
    }

    [Test]
    public void ATapeTakesParametersOfSeveralStores()
    {
        using ParameterStore policy = new(Backend()), reference = new(Backend());
        Parameter w = policy.Add("w", Layout.Of(3, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        Parameter x = policy.Add("x", Layout.Of(2, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        Parameter same = reference.Add("w", Layout.Of(3, 4), ParameterRole.Matrix, Initializer.Uniform(1));
        policy.Allocate(1);
        reference.Allocate(new SeedSource(2), NameGlobs.None);
        var tape = new Tape(Backend(), training: true);
        Tensor y = LinearOp.Record(tape, tape.Use(x), tape.Use(w)), z = LinearOp.Record(tape, tape.Use(x), tape.Use(same));
        tape.AddLoss(DotOp.Record(tape, y, z));
        var plan = new Plan(tape);
        using DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        policy.ClearGradients();
        plan.Run();

        Assert.That(tape.Stores, Is.EqualTo(new[] { policy, reference }));
        Assert.That((same.Frozen, reference.TrainedElements, reference.Bytes), Is.EqualTo((true, 0L, 64 * 4L)), "no gradients");
        // d/dW Σ (x Wᵀ) ⊙ (x Rᵀ) = (x Rᵀ)ᵀ x.
        double[] r = Host.Read(reference, same), given = Host.Read(policy, x);
        double[] expected = [.. Enumerable.Range(0, 12).Select(at => Enumerable.Range(0, 2).Sum(row => given[(4 * row) + (at % 4)] * Enumerable.Range(0, 4).Sum(i => given[(4 * row) + i] * r[(at / 4 * 4) + i])))];
        Numbers.AssertClose(Host.Gradient(policy, w), expected, 1e-6, "dW");
    }

    private ParameterStore Declared(DType type = DType.Float32, bool more = false)
    {
        var store = new ParameterStore(Backend(), type);
        store.Add("x.a", Layout.Of(2, 4), ParameterRole.Matrix, Initializer.Normal(1));
        store.Add("x.b", Layout.Of(4), ParameterRole.Vector, Initializer.Uniform(1));
        store.AddState("s", Layout.Of(2), DType.Int32);
        store.Add("y.b", Layout.Of(2, 3), ParameterRole.Matrix, Initializer.Normal(1));
        store.Add("c", Layout.Of(70), ParameterRole.Head, Initializer.Normal(1));
        store.Add("d", Layout.Of(5), ParameterRole.Vector, Initializer.One);
        if (more)
        {
            store.Add("e", Layout.Of(3), ParameterRole.Vector, Initializer.Normal(1));
        }

        return store;
    }

    private ParameterStore Stated(DType type)
    {
        var store = new ParameterStore(Backend());
        store.AddState("counted", Layout.Of(3), type, Initializer.Values([3]));
        store.Add("w", Layout.Of(4), ParameterRole.Vector, Initializer.One);
        store.AddState("averaged", Layout.Of(2));
        store.Allocate(1);
        return store;
    }

    private static void Save(ParameterStore store, string path)
    {
        using FileStream stream = File.Create(path);
        ModelFile.Of(store).Write(stream);
    }
}
