using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Flash attention's kernels that may be started while the one before them still runs.</summary>
[Parallelizable]
internal sealed class EarlyFlashTests
{
    private const string Wait = "griddepcontrol.wait;";

    [Test]
    public void ResultsAreTheSame([Values] bool isOne, [Values(32, 64)] int depth)
    {
        foreach (AttentionCase problem in new[] { new AttentionCase(1, 150, 2, 1, depth) { Strided = true }, new(1, 90, 1, 1, depth) { DocumentLength = 30, Window = 20, Sinks = 2 } })
        {
            using FlashRig early = new(problem, DType.BFloat16) { IsOne = isOne, StartsEarly = true, Schedule = new() { Resident = 2 } }, plain = new(problem, DType.BFloat16) { IsOne = isOne };
            Assert.That(early.Run(), Is.EqualTo(plain.Run()));
        }
    }

    [Test]
    public void WithoutTheWaitItFails([Values] bool isOne)
    {
        using var rig = new FlashRig(new AttentionCase(1, 40, 1, 1, 32), DType.BFloat16) { IsOne = isOne, StartsEarly = true };
        rig.Forward();
        rig.Edit = text => text.Replace(Wait, "", StringComparison.Ordinal);
        Assert.That(rig.Backward, Throws.InvalidOperationException.With.Message.Contains("memory is touched before griddepcontrol.wait"));
    }

    [Test]
    public void TheLintFindsNothingInThemButAMissingWait([Values] FlashPass pass, [Values] bool masks)
    {
        FlashSpec spec = FlashSpec.Of(pass, GpuType.BFloat16, 64, masks, masks);
        PtxProgram program = (spec with { StartsEarly = true }).Write();
        Assert.That(PtxLint.Check(program.Text, program.Threads, program.SharedBytes).Faults, Is.Empty);
        string without = program.Text.Replace(Wait, "griddepcontrol.launch_dependents;", StringComparison.Ordinal);
        Assert.That(PtxLint.Check(without, program.Threads, program.SharedBytes).Faults, Has.Some.Contains("before griddepcontrol.wait"));
        Assert.That(spec.Write().Text, Does.Not.Contain("griddepcontrol"));
    }
}
