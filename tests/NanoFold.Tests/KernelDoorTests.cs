using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Memory;
using NanoFold.Kernels.Null;
using NanoFold.Kernels.Profiling;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Halves;

namespace NanoFold.Tests;

/// <summary>A kernel of one's own, from the outside: a call that describes itself, a class, and one line that adds it.</summary>
public class KernelDoorTests
{
    private const int Count = 5;

    [Test]
    public void AKernelOfOnesOwnIsFoundAndRuns()
    {
        using var backend = new CpuBackend(1);
        Assert.That(backend.Find<Negation>(), Is.Null);
        Assert.That(() => backend.Require<Negation>(), Throws.InstanceOf<NotSupportedException>().With.Message.EndsWith("has no kernel negation"));

        backend.Kernels.Add(new CpuNegation());
        using var x = new NativeBuffer(Count * sizeof(float));
        using var y = new NativeBuffer(Count * sizeof(float));
        backend.Upload<float>([1, -2, 3, 0, 5], Of(x));
        backend.Require<Negation>().Run(new Negation(Of(x), Of(y)));

        var result = new float[Count];
        backend.Download<float>(Of(y), result);
        Assert.That(result, Is.EqualTo(new float[] { -1, 2, -3, 0, -5 }));
    }

    [Test]
    public void TheKernelAddedLastIsPreferredAndTheTableDisposesAll()
    {
        var kernels = new[] { new CpuNegation(), new CpuNegation() };
        var table = new KernelTable(composedOnly: false, [kernels[0]]);
        table.Add(kernels[1]);

        Assert.That(table.Find<Negation>(), Is.SameAs(kernels[1]));
        table.Dispose();
        Assert.That(kernels.Select(k => k.IsDisposed), Is.All.True);
    }

    /// <summary>For programs that do not open their backends themselves.</summary>
    [Test]
    public void ARegisteredKernelIsInEveryBackendOfItsTypeThatIsOpenedLater()
    {
        using var before = new CpuBackend(1);
        KernelTable.Register<CpuBackend>(backend => new CpuTally(backend.Context));
        using var after = new CpuBackend(1);

        Assert.That(before.Find<Tally>(), Is.Null);
        Assert.That(((CpuTally)after.Require<Tally>()).Context, Is.SameAs(after.Context));
        Assert.That(new NullBackend(after).Find<Tally>(), Is.Not.Null);
        using var half = new HalfBackend();
        Assert.That(half.Kernels.Find<Tally>(), Is.Not.Null, "it opens a CPU backend");
    }

    /// <summary>What has a composed path is hidden where only those are wanted, because the call says so.</summary>
    [Test]
    public void ACallWithAComposedPathIsHiddenWhereOnlyThoseAreWanted()
    {
        using var backend = new CpuBackend(1, composedOnly: true);
        backend.Kernels.Add(new CpuNegation());

        Assert.That(backend.Find<Negation>(), Is.Null);
    }

    [Test]
    public void ANullBackendChecksTheCallAndAsksItsLikeForScratch()
    {
        using var cpu = new CpuBackend(1);
        using var empty = new NullBackend(cpu);
        Assert.That(empty.Find<Negation>(), Is.Null, "the CPU has none");

        cpu.Kernels.Add(new CpuNegation());
        IKernel<Negation> kernel = empty.Require<Negation>();
        var shape = new Negation(View.OfShape(Layout.Of(Count), DType.Float32), View.OfShape(Layout.Of(Count), DType.Float32));
        kernel.Run(shape);
        Assert.That(kernel.ScratchBytes(shape), Is.EqualTo(Count));
        Assert.That(() => kernel.Run(shape with { Y = default }), Throws.ArgumentException.With.Message.EqualTo("negation: y is missing"));
        Assert.That(new NullBackend().Require<Negation>().ScratchBytes(shape), Is.Zero);
    }

    [Test]
    public void AProfileNotesNameAndCost()
    {
        using var cpu = new CpuBackend(1);
        cpu.Kernels.Add(new CpuNegation());
        var log = new EventLog(4);
        IKernel<Negation> kernel = new ProfiledBackend(cpu, log).Require<Negation>();
        using var x = new NativeBuffer(Count * sizeof(float));
        var call = new Negation(Of(x), Of(x));
        Assert.That(kernel.ScratchBytes(call), Is.EqualTo(Count));

        kernel.Run(call);
        log.IsOn = true;
        kernel.Run(call);

        Assert.That(log.Events.Length, Is.EqualTo(1));
        Assert.That(log.Events[0].Source, Is.EqualTo("negation"));
        Assert.That(log.Events[0].Cost, Is.EqualTo(new KernelCost(Count, 2 * Count * sizeof(float))));
    }

    /// <summary>The shim of 16 bits is made of the operands alone.</summary>
    [Test]
    public void TypesOf16BitsAreEmulatedForAnyCall()
    {
        using var half = new HalfBackend();
        half.Kernels.Add(new CpuNegation());
        using var x = new NativeBuffer(Count * sizeof(ushort));
        View view = new(x, 0, Layout.Of(Count), DType.Float16);
        half.Upload<Half>([(Half)1, (Half)0.5, (Half)(-3), (Half)0, (Half)7], view);

        half.Require<Negation>().Run(new Negation(view, view));

        var result = new Half[Count];
        half.Download(view, result);
        Assert.That(result.Select(v => (double)v), Is.EqualTo(new[] { -1, -0.5, 3, 0, -7 }));
    }

    private static View Of(NativeBuffer buffer) => new(buffer, 0, Layout.Of(Count), DType.Float32);

    /// <summary>y = −x.</summary>
    private readonly record struct Negation(View X, View Y) : IKernelCall<Negation>
    {
        public static string Name => "negation";

        public static bool HasComposedPath => true;

        public KernelCost Cost => new(X.Count, Operands.Bytes(this));

        public void Check()
        {
            Checks.Real(Name, "x", X);
            Checks.Same(Name, "y", Y, X);
            Checks.Writable(Name, "y", Y);
        }

        public Negation Visit<TVisitor>(ref TVisitor visitor)
            where TVisitor : struct, IOperandVisitor
            => new(visitor.Visit("x", X, Access.Read), visitor.Visit("y", Y, Access.Write));
    }

    private sealed unsafe class CpuNegation : IKernel<Negation>, IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Run(in Negation call)
        {
            call.Check();
            for (int i = 0; i < call.X.Count; i++)
            {
                call.Y.Floats[i] = -call.X.Floats[i];
            }
        }

        // No scratch is needed: a number that tests know again.
        public long ScratchBytes(in Negation shape) => shape.X.Count;

        public void Dispose() => IsDisposed = true;
    }

    /// <summary>Has no operands.</summary>
    private readonly record struct Tally : IKernelCall<Tally>
    {
        public static string Name => "tally";

        public KernelCost Cost => default;

        public void Check()
        {
        }

        public Tally Visit<TVisitor>(ref TVisitor visitor)
            where TVisitor : struct, IOperandVisitor
            => this;
    }

    private sealed class CpuTally(CpuContext context) : IKernel<Tally>
    {
        public CpuContext Context => context;

        public void Run(in Tally call) => call.Check();
    }
}
