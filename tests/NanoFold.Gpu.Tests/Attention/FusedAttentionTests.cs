using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Attention;

public class FusedAttentionTests : GpuTests
{
    [SetUp]
    public void SkipWhereItIsComposed()
    {
        if (Gpu.Find<AttentionCall>() is null)
        {
            Assert.Ignore($"{Gpu.Name} has no fused attention");
        }
    }

    private static readonly string[] s_names = ["y", "log-sum-exp", "dq", "dk", "dv", "ddecay", "dsink logits"];

    private static IEnumerable<AttentionCase> Cases()
    {
        yield return new(1, 1, 1, 1, 4);
        yield return new(2, 19, 2, 1, 8) { Accumulates = true };
        yield return new(1, 37, 2, 2, 16) { Window = 5, Sinks = 2 };
        yield return new(2, 18, 2, 1, 7) { DocumentLength = 5, Strided = true };
        yield return new(1, 13, 4, 2, 8) { Strided = true, Accumulates = true };
        yield return new(1, 9, 1, 1, 8) { Keys = 40, ValueDepth = 12 };
        yield return new(1, 12, 1, 1, 8) { Keys = 35, Kind = VisibleKind.Full };
        yield return new(1, 10, 1, 1, 72) { ValueDepth = 20 };
        yield return new(1, 6, 1, 1, 8) { ValueDepth = 256 };
        yield return new(2, 37, 1, 1, 8) { Kind = VisibleKind.Prefix, Prefix = 20 };
        yield return new(1, 70, 1, 1, 4) { Kind = VisibleKind.Prefix, Prefix = 40, Window = 9, Sinks = 3 };
        yield return new(1, 40, 1, 1, 4) { Kind = VisibleKind.Full, Window = 6, Sinks = 20 };
        yield return new(1, 70, 1, 1, 4) { Kind = VisibleKind.Full, DocumentLength = 33 };
        yield return new(1, 40, 1, 1, 4) { Kind = VisibleKind.Prefix, Prefix = 30, DocumentLength = 9, Interleaved = true };
        yield return new(1, 20, 1, 1, 4) { Keys = 70, DocumentLength = 40, Window = 30, Sinks = 2 };
        yield return new(2, 40, 2, 1, 4) { QuerySize = 20, KeySize = 8 };
        yield return new(1, 70, 1, 1, 4) { QuerySize = 16, KeySize = 40, Kind = VisibleKind.Full, DocumentLength = 30, Accumulates = true };
        yield return new(1, 33, 2, 1, 4) { QuerySize = 40, KeySize = 5, Kind = VisibleKind.Prefix, Prefix = 20, Window = 10, Sinks = 4 };
        yield return new(2, 37, 4, 2, 8) { HasTerms = true, ValueHeads = 1, ValueDepth = 12, Strided = true };
        yield return new(1, 9, 2, 2, 8) { HasTerms = true, Keys = 40, Accumulates = true, Window = 20 };
        if (!IsSimulated)
        {
            yield return new(2, 257, 4, 2, 64) { Strided = true };
            yield return new(1, 300, 2, 2, 128) { Accumulates = true };
            yield return new(2, 300, 3, 3, 32) { Window = 70, Sinks = 3, Strided = true };
            yield return new(2, 256, 4, 1, 64) { DocumentLength = 50 };
            yield return new(1, 130, 2, 1, 256);
            yield return new(1, 100, 2, 2, 64) { Keys = 333 };
            yield return new(1, 200, 2, 2, 64) { Keys = 333, Kind = VisibleKind.Full };
            yield return new(2, 400, 4, 2, 64) { QuerySize = 64, KeySize = 32, Kind = VisibleKind.Full };
            yield return new(2, 400, 2, 2, 32) { QuerySize = 100, KeySize = 70, DocumentLength = 90 };
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void IsThatOfTheCpu(AttentionCase problem)
    {
        AssertLikeCpu(problem, DType.Float32);
        if (!IsSimulated || problem.Strided)
        {
            AssertLikeCpu(problem, DType.BFloat16);
            AssertLikeCpu(problem, DType.Float16);
        }
    }

    [Test]
    public void GradientsThatNobodyWantsAreLeftOut()
    {
        using var rig = new AttentionRig(Gpu, new(1, 9, 2, 1, 8), DType.Float32);
        using var memory = new Memory(Gpu);
        float[][] all = rig.Run();
        AttentionGradients gradients = rig.Gradients(Gpu.ScratchBytes(new AttentionBackwardCall(rig.Args, rig.Gradients(0))));
        Gpu.Fill(rig.DK, 0);
        Gpu.Fill(rig.DQ, 5);
        Gpu.Run(new AttentionBackwardCall(rig.Args, new AttentionGradients { DY = gradients.DY, DQ = default, DK = gradients.DK, DV = default, Scratch = gradients.Scratch }));
        Assert.That(memory.Read(rig.DK), Is.EqualTo(all[3]));
        Assert.That(memory.Read(rig.DV), Is.EqualTo(all[4]));
        Assert.That(memory.Read(rig.DQ), Is.All.EqualTo(5f));
    }

    [Test]
    public void SmallScratchIsAnError()
    {
        using var rig = new AttentionRig(Gpu, new(1, 9, 2, 1, 8), DType.Float32);
        Assert.That(() => Gpu.Run(new AttentionBackwardCall(rig.Args, rig.Gradients(8))), Throws.ArgumentException.With.Message.Contains("scratch"));
    }

    private void AssertLikeCpu(AttentionCase problem, DType type)
    {
        using var gpu = new AttentionRig(Gpu, problem, type);
        using var cpu = new AttentionRig(Cpu, problem, DType.Float32);
        float[][] actual = gpu.Run();
        float[][] expected = cpu.Run();
        for (int i = 0; i < actual.Length; i++)
        {
            Near.Assert($"{type} {s_names[i]}", actual[i], expected[i], Near.Tolerance(type) * (i < 2 ? 1 : 3));
        }

        gpu.AssertMargins();
    }
}
