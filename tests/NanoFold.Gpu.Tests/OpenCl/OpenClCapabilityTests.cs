using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Gpu.OpenCl;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>What real devices lack, switched off: something stands in for it, or the device is refused by its name.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClCapabilityTests
{
    private static readonly OpenClCapabilities s_whole = new()
    {
        Language = 300, HasDouble = true, HasHalf = true, HasFloatAtomics = true, SubGroup = 32, MostThreads = 1024, LocalBytes = 65536, BufferBytes = 1L << 32,
    };

    private static readonly (string Name, Func<OpenClCapabilities, OpenClCapabilities> Limit)[] s_limits =
    [
        ("no double precision", c => c with { HasDouble = false }),
        ("no half precision", c => c with { HasHalf = false }),
        ("work-groups of 256", c => c with { MostThreads = 256 }),
        ("32 KiB of local memory", c => c with { LocalBytes = 32 * 1024 }),
        ("buffers of 64 MiB", c => c with { BufferBytes = 64L << 20 }),
        ("none of it", c => c with
        {
            HasDouble = false, HasHalf = false, MostThreads = 256, LocalBytes = 32 * 1024, BufferBytes = 64L << 20,
        }),
    ];

    private static IEnumerable<TestCaseData> Limits => s_limits.Select(l => new TestCaseData(l.Limit).SetArgDisplayNames(l.Name));

    [TestCaseSource(nameof(Limits))]
    public void AModelIsTrainedWithoutIt(Func<OpenClCapabilities, OpenClCapabilities> limit)
    {
        using GpuBackend gpu = OpenClDevice.Open(limit);
        using var cpu = new CpuBackend(1);
        using var exact = new TinyModel(ModelVariants.Base, cpu);
        (double loss, double[] gradients) = exact.Train();
        using var model = new TinyModel(ModelVariants.Base, gpu);
        (double own, double[] ownGradients) = model.Train();
        Assert.That(own, Is.EqualTo(loss).Within(4e-6 * loss));
        Numbers.AssertClose(ownGradients, gradients, 4e-5, "gradients");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void SlotsOfAStateAreDoublesWhateverTheDeviceHas(bool hasDouble)
    {
        using GpuBackend gpu = OpenClDevice.Open(c => c with { HasDouble = hasDouble && c.HasDouble });
        using StepState state = gpu.NewState();
        state.Set(StepSlot.LossScale, 3.5);
        Assert.That(state.GetDouble(StepSlot.LossScale), Is.EqualTo(3.5));
        using var model = new TinyModel(ModelVariants.Base, gpu);
        model.State.Set(StepSlot.LossScale, 8);
        Assert.That(model.Train().Loss, Is.GreaterThan(0));
    }

    /// <summary>Halves as bits: every half is read, and every float rounded, as the host does it.</summary>
    [Test]
    public void HalvesAreReadAndRoundedAsByTheHost([Values] bool hasHalf)
    {
        using GpuBackend gpu = OpenClDevice.Open(c => c with { HasHalf = hasHalf && c.HasHalf });
        Half[] halves = [.. Enumerable.Range(0, 1 << 16).Select(bits => BitConverter.UInt16BitsToHalf((ushort)bits))];
        float[] floats =
        [
            .. halves.Select(h => (float)h).Where(float.IsFinite).SelectMany(f => new[] { f, MathF.BitIncrement(f), f * 1.000_3f, f + 2.98e-8f }),
            65_519f, 65_520f, 1e9f, float.PositiveInfinity, float.NegativeInfinity, 2.98e-8f, 2.981e-8f, 1e-30f, -0f,
        ];
        using DeviceBuffer half = gpu.Allocate(2L * floats.Length), single = gpu.Allocate(4L * floats.Length);
        var from = new View(half, 0, Layout.Of(halves.Length), DType.Float16);
        var to = new View(single, 0, Layout.Of(halves.Length), DType.Float32);
        gpu.Upload<Half>(halves, from);
        gpu.Copy(from, to);
        var read = new float[halves.Length];
        gpu.Download(to, read.AsSpan());
        Assert.That(read, Is.EqualTo(halves.Select(h => (float)h)));

        from = new View(single, 0, Layout.Of(floats.Length), DType.Float32);
        to = new View(half, 0, Layout.Of(floats.Length), DType.Float16);
        gpu.Upload<float>(floats, from);
        gpu.Copy(from, to);
        var rounded = new Half[floats.Length];
        gpu.Download(to, rounded.AsSpan());
        Assert.That(rounded, Is.EqualTo(floats.Select(f => (Half)f)));
    }

    [Test]
    public void ABufferBeyondTheLimitIsRefusedByName()
    {
        using GpuBackend gpu = OpenClDevice.Open(c => c with { BufferBytes = 1 << 20 });
        gpu.Allocate(1 << 20).Dispose();
        Assert.That(() => gpu.Allocate((1 << 20) + 4), Throws.TypeOf<InsufficientMemoryException>().With.Message.Contain("its buffers have 1048576 bytes at most"));
    }

    [Test]
    public void WhatNothingStandsInForIsNamed()
    {
        Assert.That(s_whole.Lacks, Is.Null);
        Assert.That((s_whole with { HasDouble = false, HasHalf = false, SubGroup = 0, HasFloatAtomics = false, MostThreads = 256, LocalBytes = 32 * 1024 }).Lacks, Is.Null);
        Assert.That((s_whole with { Language = 120 }).Lacks, Is.EqualTo("its OpenCL C is 1.2; 2.0 is needed, and a newer driver may have it"));
        Assert.That((s_whole with { MostThreads = 128 }).Lacks, Is.EqualTo("its work-groups have 128 threads at most; 256 are needed"));
        Assert.That((s_whole with { LocalBytes = 16384 }).Lacks, Is.EqualTo("its work-groups have 16384 bytes of local memory; 32768 are needed"));
    }

    [Test]
    public void ADeviceThatLacksItIsRefused()
    {
        // Skips where there is none that can be used.
        OpenClDevice.Open().Dispose();
        Assert.That(() => OpenClDevice.Open(c => c with { MostThreads = 64 }), Throws.TypeOf<NotSupportedException>().With.Message.Contain("64 threads at most; 256 are needed"));
    }

    [Test]
    public void EachIsPrinted()
        => Assert.That(s_whole.Words(), Is.EqualTo((string[])
        [
            "OpenCL C 3.0", "double precision", "half precision", "work-groups of 1024", "64 KiB of local memory", "sub-groups of 32", "float atomics", "buffers of 4 GiB",
        ]));
}
