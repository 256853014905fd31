using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Attention;

/// <summary>Flash attention's kernels that may be started while the one before them still runs.</summary>
[Parallelizable]
internal sealed class EarlyFlashTests
{
    private const string Wait = "griddepcontrol.wait;";

    /// <summary>By which kernels both passes go.</summary>
    public enum Kernels
    {
        Two,
        One,
        Warpgroups,
    }

    [Test]
    public void ResultsAreTheSame([Values] Kernels kernels, [Values(32, 64)] int depth)
    {
        foreach (AttentionCase problem in new[] { new AttentionCase(1, 150, 2, 1, depth) { Strided = true }, new(1, 90, 1, 1, depth) { DocumentLength = 30, Window = 20, Sinks = 2 } })
        {
            using FlashRig early = Rig(problem, kernels, startsEarly: true, new() { Resident = 2 }), plain = Rig(problem, kernels, startsEarly: false, new());
            Assert.That(early.Run(), Is.EqualTo(plain.Run()));
        }
    }

    [Test]
    public void WithoutTheWaitItFails([Values] Kernels kernels)
    {
        using FlashRig rig = Rig(new AttentionCase(1, 40, 1, 1, 32), kernels, startsEarly: true, new());
        rig.Forward();
        rig.Edit = text => text.Replace(Wait, "", StringComparison.Ordinal);
        Assert.That(rig.Backward, Throws.InvalidOperationException.With.Message.Contains("memory is touched before griddepcontrol.wait"));
        rig.EditForward = rig.Edit;
        Assert.That(rig.Forward, kernels == Kernels.Warpgroups ? Throws.InvalidOperationException.With.Message.Contains("memory is touched before griddepcontrol.wait") : Throws.Nothing);
    }

    [Test]
    public void TheLintFindsNothingInThemButAMissingWait([Values] FlashPass pass, [Values] bool masks)
    {
        FlashSpec spec = FlashSpec.Of(pass, GpuType.BFloat16, 64, masks, masks);
        OnlyTheWaitIsMissed((spec with { StartsEarly = true }).Write(), spec.Write());
    }

    [Test]
    public void TheLintFindsNothingInThoseByWarpgroups([Values(32, 64, 128)] int depth, [Values] bool masks)
    {
        HopperSpec spec = HopperSpec.Of(GpuType.BFloat16, depth, masks, masks);
        OnlyTheWaitIsMissed(HopperForward.Write(spec with { StartsEarly = true }), HopperForward.Write(spec));
        HopperGradientSpec gradients = HopperGradientSpec.Of(GpuType.BFloat16, depth, masks, masks);
        OnlyTheWaitIsMissed(HopperGradients.Write(gradients with { StartsEarly = true }), HopperGradients.Write(gradients));
    }

    private static void OnlyTheWaitIsMissed(PtxProgram early, PtxProgram plain)
    {
        Assert.That(PtxLint.Check(early.Text, early.Threads, early.SharedBytes).Faults, Is.Empty);
        string without = early.Text.Replace(Wait, "griddepcontrol.launch_dependents;", StringComparison.Ordinal);
        Assert.That(PtxLint.Check(without, early.Threads, early.SharedBytes).Faults, Has.Some.Contains("before griddepcontrol.wait"));
        Assert.That((early.StartsEarly, plain.StartsEarly, plain.Text.Contains("griddepcontrol", StringComparison.Ordinal)), Is.EqualTo((true, false, false)));
    }

    private static FlashRig Rig(AttentionCase problem, Kernels kernels, bool startsEarly, PtxSchedule schedule) => new(problem, DType.BFloat16)
    {
        IsOne = kernels == Kernels.One, IsByWarpgroups = kernels == Kernels.Warpgroups, IsBackwardByWarpgroups = kernels == Kernels.Warpgroups, StartsEarly = startsEarly, Schedule = schedule,
    };
}
