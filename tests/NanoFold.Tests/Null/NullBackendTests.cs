using System.Reflection;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Null;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Null;

public class NullBackendTests
{
    private readonly struct Negate : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => -x;
    }

    private readonly struct Add : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a + b;
    }

    private readonly struct Fma : ITernaryOp
    {
        public V Invoke<V>(V a, V b, V c)
            where V : struct, ILane<V>
            => V.MultiplyAdd(a, b, c);
    }

    /// <summary>Calls with right and wrong views: name, call, whether it must be refused.</summary>
    private static IEnumerable<TestCaseData> Calls()
    {
        foreach (bool wrong in new[] { false, true })
        {
            int n = wrong ? 5 : 4;
            yield return Case("map", wrong, (b, s) => b.Map(default(Negate), s.Real(3, 4), s.Real(3, n)));
            yield return Case("zip", wrong, (b, s) => b.Zip(default(Add), s.Real(3, 4), s.Real(4), s.Real(3, n)));
            yield return Case("zip of three", wrong, (b, s) => b.Zip(default(Fma), s.Real(3, 4), s.Real(4), s.Real(3, 1), s.Real(3, n)));
            yield return Case("copy", wrong, (b, s) => b.Copy(s.Real(3, 4), s.Real(3, n)));
            yield return Case("fill", wrong, (b, s) => b.Fill(wrong ? default : s.Real(3), 1));
            yield return Case("sum", wrong, (b, s) => b.Sum(s.Real(3, 4), s.Real(n)));
            yield return Case("matmul", wrong, (b, s) => b.MatMul(new() { A = s.Real(2, 3, 4), B = s.Real(n, 5), Y = s.Real(2, 3, 5), Bias = s.Real(5), Residual = s.Real(3, 5) }));
            yield return Case("matmul, transposed", wrong, (b, s) => b.MatMul(new() { A = s.Real(4, 3), B = s.Real(5, n), Y = s.Real(3, 5), TransposeA = true, TransposeB = true }));
            yield return Case("matmul, bias", wrong, (b, s) => b.MatMul(new() { A = s.Real(3, 4), B = s.Real(4, 4), Y = s.Real(3, 4), Bias = s.Real(n) }));
            yield return Case("matmul, batches", wrong, (b, s) => b.MatMul(new() { A = s.Real(n, 3, 4), B = s.Real(1, 4, 6), Y = s.Real(4, 3, 6) }));
            yield return Case("grouped matmul", wrong, (b, s) => b.GroupedMatMul(new() { A = s.Real(6, 4), B = s.Real(3, 4, 5), Y = s.Real(6, 5), Offsets = s.Integers(n) }));
            yield return Case("grouped matmul, transposed", wrong, (b, s) => b.GroupedMatMul(new() { A = s.Real(6, 4), B = s.Real(3, 5, n), Y = s.Real(6, 5), Offsets = s.Integers(4), TransposeB = true }));
            yield return Case("grouped matmul, per group", wrong, (b, s) => b.GroupedMatMul(new() { A = s.Real(6, 4), B = s.Real(6, 5), Y = s.Real(3, n, 5), Offsets = s.Integers(4), PerGroupOutput = true }));
            yield return Case("gather", wrong, (b, s) => b.Gather(s.Real(7, 4), s.Integers(3), s.Real(3, n)));
            yield return Case("scatter-add", wrong, (b, s) => b.ScatterAdd(s.Real(3, n), s.Integers(3), s.Real(7, 4)));
            yield return Case("top-k", wrong, (b, s) => b.TopK(s.Real(3, 4), s.Real(3, n), s.Integers(3, n)));
            yield return Case("dropout", wrong, (b, s) => b.Dropout(b.NewState(), s.Real(3, 4), s.Real(3, n), 0.5, 1));
            yield return Case("softmax", wrong, (b, s) => b.Softmax(s.Real(3, 4), s.Real(3, n), 1, default));
            yield return Case("softmax, documents", wrong, (b, s) => b.Softmax(s.Real(2, 1, 3, 4), s.Real(2, 1, 3, 4), 1, new Visible { Kind = VisibleKind.Causal, Documents = s.Integers(2, n) }));
            yield return Case("softmax backward", wrong, (b, s) => b.SoftmaxBackward(s.Real(3, 4), s.Real(3, n), s.Real(3, 4), 1));
            yield return Case("upload", wrong, (b, s) => b.Upload<float>(new float[n], s.Real(4)));
            yield return Case("download", wrong, (b, s) => b.Download(s.Real(4), new float[n].AsSpan()));
        }
    }

    [TestCaseSource(nameof(Calls))]
    public void AsksWhatTheCpuAsks(string name, bool wrong, Action<Backend, Source> call)
    {
        using var source = new Source();
        using var nothing = new NullBackend();
        using var cpu = new CpuBackend(1);
        string? expected = Try(() => call(cpu, source.On(cpu)));
        Assert.That(Try(() => call(nothing, source.On(nothing))), Is.EqualTo(expected));
        Assert.That(expected is not null, Is.EqualTo(wrong), expected ?? name);
    }

    [Test]
    public void HoldsNoMemory()
    {
        using var backend = new NullBackend();
        using DeviceBuffer buffer = backend.Allocate(1L << 50);
        Assert.That(buffer.Bytes, Is.EqualTo(1L << 50));
        var view = new View(buffer, 0, Layout.Of(1 << 20, 1 << 20), DType.Float32);
        backend.Map(default(Negate), view, view);
        float[] values = [1, 2];
        backend.Download(view.With(Layout.Of(2)), values.AsSpan());
        Assert.That(values, Is.All.Zero);
        Assert.That(() => backend.Allocate(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => backend.Fill(view.With(Layout.Of(2), 1L << 50), 0), Throws.ArgumentException.With.Message.Contains("ends at element"));
    }

    [Test]
    public void SlotsCanBeSetAndRead()
    {
        using var backend = new NullBackend();
        using StepState state = backend.NewState();
        state.Set(StepSlot.LearningRate, 0.25);
        state.Set(StepSlot.Step, 12L);
        Assert.That(state.GetDouble(StepSlot.LearningRate), Is.EqualTo(0.25));
        Assert.That(state.GetInteger(StepSlot.Step), Is.EqualTo(12));
    }

    [Test]
    public void HasEveryKernelThatThereIs()
    {
        using var backend = new NullBackend();
        MethodInfo find = typeof(Backend).GetMethod(nameof(Backend.Find))!;
        foreach (Type call in KernelCalls.All)
        {
            Assert.That(find.MakeGenericMethod(call).Invoke(backend, null), Is.Not.Null, call.Name);
        }
    }

    [Test]
    public void FollowsTheBackendItStandsFor()
    {
        using var cpu = new CpuBackend(1, composedOnly: true);
        using var backend = new NullBackend(cpu);
        Assert.That(backend.Find<AttentionCall>(), Is.Null);
        Assert.That(backend.Name, Does.Contain(cpu.Name));
        Assert.That(backend.Find<RmsNormCall>(), Is.InstanceOf<NullKernel<RmsNormCall>>());
    }

    [TestCase(DType.BFloat16)]
    [TestCase(DType.Float16)]
    public void EveryModelPassesItsChecksInHalfTheBytes(DType type)
    {
        using var backend = new NullBackend();
        foreach ((string name, ModelConfig config) in ModelVariants.All)
        {
            long[] bytes = [.. new[] { DType.Float32, type }.Select(activations =>
            {
                using var model = new TinyModel(config with { Dropout = 0.1 }, backend, activations, perturbed: false);
                var plan = new Plan(model.TrainingTape());
                using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
                plan.Bind(arena);
                plan.Run();
                return plan.ArenaBytes;
            })];
            Assert.That(bytes[1], Is.LessThan(0.75 * bytes[0]), name);
        }
    }

    [Test]
    public void KernelsAskThatViewsLieInTheirBuffers()
    {
        using var backend = new NullBackend();
        using DeviceBuffer buffer = backend.Allocate(64);
        View inside = new(buffer, 0, Layout.Of(16), DType.Float32), outside = inside.With(Layout.Of(17));
        var right = new RmsNormCall(inside, default, inside, inside.With(Layout.Of(1)), 1e-6);
        backend.Run(right);
        Assert.That(() => backend.Run(right with { Y = outside }), Throws.ArgumentException.With.Message.StartsWith("rms-norm: y Float32[17] ends"));
    }

    private static TestCaseData Case(string name, bool wrong, Action<Backend, Source> call)
        => new TestCaseData(name, wrong, call).SetArgDisplayNames(name, wrong ? "wrong" : "right");

    private static string? Try(Action call)
    {
        try
        {
            call();
            return null;
        }
        catch (ArgumentException e)
        {
            return e.Message;
        }
    }

    /// <summary>Views of fresh buffers of one backend.</summary>
    public sealed class Source : IDisposable
    {
        private readonly List<DeviceBuffer> _buffers = [];
        private Backend? _backend;

        public Source On(Backend backend)
        {
            _backend = backend;
            return this;
        }

        public View Real(params int[] shape) => Make(DType.Float32, shape);

        public View Integers(params int[] shape) => Make(DType.Int32, shape);

        public void Dispose() => _buffers.ForEach(b => b.Dispose());

        private View Make(DType type, int[] shape)
        {
            Layout layout = Layout.Of(shape);
            DeviceBuffer buffer = _backend!.Allocate(layout.Count * type.Size());
            _buffers.Add(buffer);
            return new View(buffer, 0, layout, type);
        }
    }
}
